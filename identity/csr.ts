// PKCS#10 requests (RFC 2986), written by sidecars and read by the CA. Only the public key and the
// proof that its holder asks are ever used; what else a request asks for is handed on as facts, for
// the CA to refuse.
import { createPublicKey, hash, sign, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import {
  contextTag,
  derTag,
  openDer,
  readBitString,
  readDer,
  readObjectIdentifier,
  readSmallInteger,
} from "#/lib/der.ts";
import type { DerElement, DerReader } from "#/lib/der.ts";
import * as encode from "#/lib/der-encode.ts";
import { guarded, readAlgorithm, readInnerDer } from "./certificate.ts";
import * as extensions from "./extensions.ts";
import { IdentityError } from "./identity-error.ts";
import { isEmptyName } from "./names.ts";
import type { GeneralName } from "./names.ts";
import { oid } from "./object-identifiers.ts";
import { isCertifiableKey, readPublicKeyInfo } from "./public-key.ts";
import type { SpiffeId } from "./spiffe-id.ts";

/** One of ours has some 220 bytes; looked at before anything else (attack case 4). */
export const csrBytesMax = 4096;
const csrLimits = { bytesMax: csrBytesMax, depthMax: 12 };

export interface CsrFacts {
  /** SubjectPublicKeyInfo of a P-256 key: a copy, so that nothing can change it afterwards. */
  readonly publicKey: Uint8Array;
  readonly hasSubject: boolean;
  /** Names that are asked for; empty when none. */
  readonly names: readonly GeneralName[];
  readonly asksForAuthority: boolean;
  /** Object identifiers of all extensions asked for, names among them. */
  readonly extensionOids: readonly string[];
  /** With what the request may be used: the hash of one token, see tokenBinding; null: with anything. */
  readonly binding: string | null;
  /** Attributes that are neither a binding nor an extension request. */
  readonly otherAttributes: readonly string[];
}

export interface CsrOptions {
  /** Default: it asks for no name, and the CA takes the identity from the token. */
  readonly id?: SpiffeId;
  /** It is good with this token alone. Default: with any, which the CA refuses. */
  readonly token?: string;
}

/**
 * What a request says of the token that it comes with, signed with all of it: who has both can use them for
 * nothing but what they were made for. As a challenge password, which EST, too, uses to link a request to what
 * authenticates it (RFC 7030 section 3.5).
 */
export function tokenBinding(token: string): string {
  return hash("sha256", `signet token of a CSR\n${token}`, "base64url");
}

/** A request signed by `privateKey` (P-256). About 60 us. */
export function createCsr(privateKey: KeyObject, { id, token }: CsrOptions = {}): Uint8Array {
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const attributes = [
    ...(token === undefined ? [] : [challenge(tokenBinding(token))]),
    ...(id === undefined ? [] : [extensionRequest(id)]),
  ];
  const info = encode.encodeSequence(
    encode.encodeSmallInteger(0),
    encode.encodeSequence(),
    publicKey,
    // A SET OF, in DER's order.
    encode.encodeElement(
      contextTag(0, "constructed"),
      ...attributes.toSorted((one, other) => Buffer.compare(one, other)),
    ),
  );
  return encode.encodeSequence(
    info,
    encode.encodeSequence(encode.encodeObjectIdentifier(oid.ecdsaSha256)),
    encode.encodeBitString(sign("sha256", info, privateKey)),
  );
}

/**
 * Reads a request and checks its own signature. Throws IdentityError: `csr_too_large` first, then
 * `csr_malformed`, `csr_key_unsupported` (anything but P-256 with ECDSA and SHA-256) and
 * `csr_signature_invalid`, in the order of what they cost.
 */
export function readCsr(der: Uint8Array): CsrFacts {
  if (der.length > csrBytesMax) {
    const sizes = `${der.length} bytes are more than ${csrBytesMax}`;
    throw new IdentityError("csr_too_large", `Cannot read CSR: ${sizes}`);
  }
  const request = guarded("csr_malformed", "CSR", () => readRequest(der));
  const { publicKey, algorithm } = request;
  if (!isCertifiableKey(publicKey) || algorithm !== oid.ecdsaSha256) {
    throw new IdentityError("csr_key_unsupported", `Cannot certify key "${publicKey.kind}"`, {
      next: "Make the request with a P-256 key and ECDSA with SHA-256",
    });
  }
  const spki = Uint8Array.from(publicKey.der);
  if (!verifies(spki, request.signed, request.signature)) {
    throw new IdentityError("csr_signature_invalid", "Cannot believe CSR: its signature is wrong");
  }
  return { publicKey: spki, ...request.asked };
}

function readRequest(der: Uint8Array) {
  const outer = openDer(readDer(der, csrLimits), derTag.sequence);
  const signed = outer.take(derTag.sequence);
  const algorithm = readAlgorithm(outer.take(derTag.sequence));
  const signature = readBitString(outer.take(derTag.bitString)).bytes;
  outer.finish();
  const info = openDer(signed, derTag.sequence);
  if (readSmallInteger(info.take(derTag.integer)) !== 0) {
    throw new IdentityError("csr_malformed", "Cannot read CSR: version is not 1");
  }
  const subject = info.take(derTag.sequence);
  const publicKey = readPublicKeyInfo(info.take(derTag.sequence));
  const attributes = info.take(contextTag(0, "constructed"));
  info.finish();
  const asked = { hasSubject: !isEmptyName(subject.whole), ...readAttributes(attributes) };
  return { signed: signed.whole, algorithm, signature, publicKey, asked };
}

type Asked = Omit<CsrFacts, "publicKey" | "hasSubject">;

function readAttributes(element: DerElement): Asked {
  const otherAttributes: string[] = [];
  let requested: readonly extensions.Extension[] | null = null;
  let binding: string | null = null;
  const list = openDer(element, element.tag);
  while (list.nextTag !== null) {
    const attribute = list.open(derTag.sequence);
    const type = readObjectIdentifier(attribute.take(derTag.objectIdentifier));
    const values = attribute.open(derTag.set);
    attribute.finish();
    if (type === oid.challengePassword && binding === null) binding = readChallenge(values);
    else if (type !== oid.extensionRequest) otherAttributes.push(type);
    else if (requested === null) requested = readExtensionRequest(values);
    else throw new IdentityError("csr_malformed", "Cannot read CSR: it asks for extensions twice");
  }
  const found = requested ?? [];
  const names = found.find((extension) => extension.oid === oid.subjectAlternativeName);
  const basic = found.find((extension) => extension.oid === oid.basicConstraints);
  return {
    names: names === undefined ? [] : extensions.readAlternativeNames(names.value),
    asksForAuthority:
      basic !== undefined && extensions.readBasicConstraints(basic.value).isAuthority,
    extensionOids: found.map((extension) => extension.oid),
    binding,
    otherAttributes,
  };
}

function readChallenge(values: DerReader): string {
  const value = values.take(derTag.utf8String);
  values.finish();
  return new TextDecoder().decode(value.content);
}

function readExtensionRequest(values: DerReader): readonly extensions.Extension[] {
  const list = extensions.readExtensions(values.open(derTag.sequence), readInnerDer);
  values.finish();
  return list;
}

/** False also for a point that is not on the curve, which OpenSSL refuses to load. */
function verifies(spki: Uint8Array, signed: Uint8Array, signature: Uint8Array): boolean {
  try {
    // Imported where it is used: a KeyObject would live until the next full collection.
    return verify(
      "sha256",
      signed,
      { key: Buffer.from(spki), format: "der", type: "spki" },
      signature,
    );
  } catch {
    return false;
  }
}

function challenge(text: string): Uint8Array {
  return encode.encodeSequence(
    encode.encodeObjectIdentifier(oid.challengePassword),
    encode.encodeSet(encode.encodeText(derTag.utf8String, text)),
  );
}

function extensionRequest(id: SpiffeId): Uint8Array {
  const uri = encode.encodeElement(contextTag(6, "primitive"), new TextEncoder().encode(id));
  const names = encode.encodeSequence(
    encode.encodeObjectIdentifier(oid.subjectAlternativeName),
    encode.encodeOctetString(encode.encodeSequence(uri)),
  );
  return encode.encodeSequence(
    encode.encodeObjectIdentifier(oid.extensionRequest),
    encode.encodeSet(encode.encodeSequence(names)),
  );
}
