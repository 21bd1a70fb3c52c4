// The extensions of certificates and of requests (RFC 5280 section 4.2), read from canonical DER.
// What is read here is form; what it has to say is for leaf-rules.ts and verify.ts.
import {
  contextTag,
  DerError,
  DerReader,
  derTag,
  openDer,
  readBitString,
  readBoolean,
  readObjectIdentifier,
  readOctetString,
  readSmallInteger,
} from "#/lib/der.ts";
import type { DerElement } from "#/lib/der.ts";
import { readGeneralName } from "./names.ts";
import type { GeneralName } from "./names.ts";
import { oid } from "./object-identifiers.ts";

export interface Extension {
  /** Dotted. */
  readonly oid: string;
  readonly critical: boolean;
  /** What the octet string holds; canonical when it is in a certificate that was read. */
  readonly value: DerElement;
}

/** Of one certificate or request; ours have seven at most. */
const extensionCountMax = 32;
const nameCountMax = 32;

/**
 * Reads the list's members; `readInner` turns the octets of one into DER. Throws DerError; what
 * stands twice is refused.
 */
export function readExtensions(
  list: DerReader,
  readInner: (octets: Uint8Array) => DerElement,
): readonly Extension[] {
  const extensions: Extension[] = [];
  while (list.nextTag !== null) {
    const fields = list.open(derTag.sequence);
    const type = readObjectIdentifier(fields.take(derTag.objectIdentifier));
    const critical = readDefaultFalse(fields);
    const octets = readOctetString(fields.take(derTag.octetString));
    fields.finish();
    if (extensions.some((other) => other.oid === type)) throw fault(`extension ${type} is doubled`);
    if (extensions.length >= extensionCountMax) throw fault("there are too many extensions");
    extensions.push({ oid: type, critical, value: readInner(octets) });
  }
  return extensions;
}

/** BOOLEAN DEFAULT FALSE: in DER it is either there and true, or not there. */
function readDefaultFalse(fields: DerReader): boolean {
  const element = fields.takeIf(derTag.boolean);
  if (element === null) return false;
  if (!readBoolean(element)) throw fault("a default value is encoded");
  return true;
}

export interface BasicConstraints {
  readonly isAuthority: boolean;
  /** null: any number of authorities may follow. */
  readonly pathLengthMax: number | null;
}

export function readBasicConstraints(value: DerElement): BasicConstraints {
  const reader = openDer(value, derTag.sequence);
  const isAuthority = readDefaultFalse(reader);
  const pathLength = reader.takeIf(derTag.integer);
  reader.finish();
  if (pathLength !== null && !isAuthority) throw fault("a leaf has a path length");
  return {
    isAuthority,
    pathLengthMax: pathLength === null ? null : readSmallInteger(pathLength),
  };
}

/** Bit numbers of RFC 5280 section 4.2.1.3, as a mask: bit n of the extension is 1 << n. */
export const keyUsageBit = {
  digitalSignature: 0x1,
  nonRepudiation: 0x2,
  keyEncipherment: 0x4,
  dataEncipherment: 0x8,
  keyAgreement: 0x10,
  keyCertSign: 0x20,
  crlSign: 0x40,
  encipherOnly: 0x80,
  decipherOnly: 0x100,
} as const;

export function readKeyUsage(value: DerElement): number {
  const { bytes, unusedBits } = readBitString(value);
  if (bytes.length === 0 || bytes.length > 2) throw fault("key usage has no known bits");
  // A named bit list ends with a one (X.690 section 11.2.2).
  const last = bytes[bytes.length - 1]!;
  if (((last >> unusedBits) & 1) === 0) throw fault("key usage has trailing zero bits");
  let mask = 0;
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    if ((bytes[bit >> 3]! & (0x80 >> (bit & 7))) !== 0) mask |= 1 << bit;
  }
  return mask;
}

export function readExtendedKeyUsage(value: DerElement): readonly string[] {
  const reader = openDer(value, derTag.sequence);
  const usages: string[] = [];
  while (reader.nextTag !== null) {
    if (usages.length >= nameCountMax) throw fault("there are too many key purposes");
    usages.push(readObjectIdentifier(reader.next()));
  }
  if (usages.length === 0) throw fault("there is no key purpose");
  return usages;
}

/** The names of a subjectAltName, in order; at least one. */
export function readAlternativeNames(value: DerElement): readonly GeneralName[] {
  const reader = openDer(value, derTag.sequence);
  const names: GeneralName[] = [];
  while (reader.nextTag !== null) {
    if (names.length >= nameCountMax) throw fault("there are too many names");
    names.push(readGeneralName(reader.next()));
  }
  if (names.length === 0) throw fault("there is no name");
  return names;
}

export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** Without minimum and maximum, which RFC 5280 section 4.2.1.10 leaves no use for. */
export function readNameConstraints(value: DerElement): NameConstraints {
  const reader = openDer(value, derTag.sequence);
  const permitted = readSubtrees(reader.takeIf(contextTag(0, "constructed")));
  const excluded = readSubtrees(reader.takeIf(contextTag(1, "constructed")));
  reader.finish();
  if (permitted.length + excluded.length === 0) throw fault("there is no constraint");
  return { permitted, excluded };
}

function readSubtrees(element: DerElement | null): readonly GeneralName[] {
  if (element === null) return [];
  const reader = new DerReader(element);
  const names: GeneralName[] = [];
  while (reader.nextTag !== null) {
    if (names.length >= nameCountMax) throw fault("there are too many constraints");
    const subtree = reader.open(derTag.sequence);
    names.push(readGeneralName(subtree.next()));
    subtree.finish();
  }
  return names;
}

/** The key identifier; null when the issuer is named in another way. */
export function readAuthorityKeyId(value: DerElement): Uint8Array | null {
  const identifier = openDer(value, derTag.sequence).takeIf(contextTag(0, "primitive"));
  return identifier?.content ?? null;
}

/** Extensions whose meaning is known to this folder: any other that is critical is refused. */
export const knownExtensions: ReadonlySet<string> = new Set([
  oid.subjectKeyIdentifier,
  oid.keyUsage,
  oid.subjectAlternativeName,
  oid.basicConstraints,
  oid.nameConstraints,
  oid.authorityKeyIdentifier,
  oid.extendedKeyUsage,
]);

function fault(state: string): DerError {
  return new DerError("der_value_invalid", `Cannot read DER: ${state}`);
}
