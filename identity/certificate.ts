// An X.509 certificate taken apart (RFC 5280 section 4.1): views into its own bytes, so that what is
// checked and what is used are the same. Says nothing about trust.
import {
  contextTag,
  DerError,
  DerReader,
  derTag,
  openDer,
  derLimits,
  readBitString,
  readDer,
  readInteger,
  readObjectIdentifier,
  readSmallInteger,
  readTime,
} from "#/lib/der.ts";
import type { DerElement } from "#/lib/der.ts";
import { messageOf } from "#/lib/errors.ts";
import { knownExtensions, readExtensions } from "./extensions.ts";
import type { Extension } from "./extensions.ts";
import { IdentityError } from "./identity-error.ts";
import type { IdentityErrorCode } from "./identity-error.ts";
import { readName } from "./names.ts";
import { oid } from "./object-identifiers.ts";
import { readPublicKeyInfo } from "./public-key.ts";
import type { PublicKeyInfo } from "./public-key.ts";

export interface Certificate {
  readonly der: Uint8Array;
  /** The part that the signature is over. */
  readonly signed: Uint8Array;
  /** Lower-case hex without the sign byte. */
  readonly serial: string;
  /** Names are equal when their bytes are. */
  readonly issuer: DerElement;
  readonly subject: DerElement;
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKey: PublicKeyInfo;
  /** At most one of each. */
  readonly extensions: readonly Extension[];
  /** Dotted. */
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
}

/** RFC 5280 section 4.1.2.2: twenty octets, of which the sign may take a bit. */
const serialBytesMax = 20;

/** Throws IdentityError unless `der` is a version 3 certificate whose critical extensions are known. */
export function readCertificate(der: Uint8Array): Certificate {
  const certificate = guarded("certificate_malformed", "certificate", () => take(der));
  for (const { oid, critical } of certificate.extensions) {
    if (critical && !knownExtensions.has(oid)) {
      throw new IdentityError(
        "extension_critical_unknown",
        `Cannot accept certificate ${certificate.serial}: critical extension ${oid} is unknown`,
      );
    }
  }
  return certificate;
}

/** The extension of this type, or null. */
export function extensionOf(certificate: Certificate, oid: string): Extension | null {
  return certificate.extensions.find((extension) => extension.oid === oid) ?? null;
}

/** Runs `read`; a DerError becomes an IdentityError with `code` about `what`. */
export function guarded<T>(code: IdentityErrorCode, what: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (!(thrown instanceof DerError)) throw thrown;
    throw new IdentityError(code, `Cannot read ${what}: ${messageOf(thrown)}`, { cause: thrown });
  }
}

/** The DER inside an octet string: canonical like that around it. */
export function readInnerDer(octets: Uint8Array): DerElement {
  return readDer(octets, derLimits);
}

/** RFC 5758 section 3.2, RFC 9881 section 2: nothing stands behind these, so nothing may be hidden there. */
const withoutParameters: ReadonlySet<string> = new Set([
  oid.ecdsaSha256,
  oid.ecdsaSha384,
  oid.mlDsa65,
]);

/** Dotted, of an AlgorithmIdentifier. */
export function readAlgorithm(element: DerElement): string {
  const fields = openDer(element, derTag.sequence);
  const algorithm = readObjectIdentifier(fields.take(derTag.objectIdentifier));
  if (withoutParameters.has(algorithm)) fields.finish();
  return algorithm;
}

function take(der: Uint8Array): Certificate {
  const whole = openDer(readDer(der), derTag.sequence);
  const signed = whole.take(derTag.sequence);
  const algorithm = whole.take(derTag.sequence);
  const { bytes: signature, unusedBits } = readBitString(whole.take(derTag.bitString));
  whole.finish();
  if (unusedBits !== 0) throw formFault("signature has unused bits");

  const fields = new DerReader(signed);
  takeVersion(fields);
  const serial = takeSerial(fields);
  const signedAlgorithm = fields.take(derTag.sequence);
  // Attack case 12: the algorithm that counts is the one that was signed.
  if (!equal(signedAlgorithm.whole, algorithm.whole)) {
    throw formFault("the two signature algorithms differ");
  }
  const issuer = fields.take(derTag.sequence);
  const validity = fields.open(derTag.sequence);
  const notBefore = readTime(validity.next());
  const notAfter = readTime(validity.next());
  validity.finish();
  if (notAfter < notBefore) throw formFault("validity ends before it begins");
  const subject = fields.take(derTag.sequence);
  // OpenSSL refuses names that are none, and so do we: whoever verifies must judge alike.
  readName(issuer);
  readName(subject);
  const publicKey = readPublicKeyInfo(fields.take(derTag.sequence));
  const extensions = takeExtensions(fields);
  fields.finish();
  return {
    der,
    signed: signed.whole,
    serial,
    issuer,
    subject,
    notBefore,
    notAfter,
    publicKey,
    extensions,
    signatureAlgorithm: readAlgorithm(algorithm),
    signature,
  };
}

function takeVersion(fields: DerReader): void {
  const version = fields.takeIf(contextTag(0, "constructed"));
  const number = version === null ? 0 : readSmallInteger(new DerReader(version).next());
  if (number === 2) return;
  throw new IdentityError(
    "certificate_version_unsupported",
    `Cannot accept the certificate: it is of version ${number + 1}, not 3`,
  );
}

function takeSerial(fields: DerReader): string {
  const bytes = readInteger(fields.next());
  const isZero = bytes.length === 1 && bytes[0] === 0;
  if (isZero || bytes[0]! >= 0x80 || bytes.length > serialBytesMax) {
    throw formFault("serial number is not positive or too long");
  }
  return Buffer.from(bytes[0] === 0 ? bytes.subarray(1) : bytes).toString("hex");
}

function takeExtensions(fields: DerReader): readonly Extension[] {
  const wrapped = fields.takeIf(contextTag(3, "constructed"));
  if (wrapped === null) return [];
  const reader = new DerReader(wrapped);
  const extensions = readExtensions(reader.open(derTag.sequence), readInnerDer);
  reader.finish();
  return extensions;
}

/** Same bytes. Not for secrets: it stops at the first difference. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function formFault(state: string): DerError {
  return new DerError("der_value_invalid", state);
}
