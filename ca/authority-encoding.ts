// An authority's certificate as DER by our own hand, for keys and signatures that the library of
// authority-certificate.ts does not know: ML-DSA (FIPS 204, in X.509 by RFC 9881). It says what that one
// says: version 3, path length, keyCertSign and cRLSign, key identifiers, name constraints.
import { createHash, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { extensionOf, readCertificate } from "#/identity/certificate.ts";
import { oid } from "#/identity/object-identifiers.ts";
import { contextTag, derTag, openDer, readBitString, readDer, readOctetString } from "#/lib/der.ts";
import * as encode from "#/lib/der-encode.ts";

export interface AuthorityFields {
  /** DER of a Name. */
  readonly subject: Uint8Array;
  readonly publicKey: KeyObject;
  /** ML-DSA-65 or P-256. */
  readonly signerKey: KeyObject;
  /** DER of the signer's certificate; null: signed by itself. */
  readonly parent: Uint8Array | null;
  /** Its bytes, positive. */
  readonly serial: Uint8Array;
  /** Milliseconds since the Unix epoch, whole seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly pathLength: number;
  /** DER of NameConstraints; null: none. */
  readonly nameConstraints: Uint8Array | null;
}

/** Its first 20 bytes (RFC 7093 section 2) are a key's identifier. */
const keyIdBytes = 20;
const critical = true;

/** The certificate as DER. */
export function encodeAuthority(fields: AuthorityFields): Uint8Array {
  const { subject, signerKey } = fields;
  const publicKey = fields.publicKey.export({ type: "spki", format: "der" });
  const parent = fields.parent === null ? null : readCertificate(fields.parent);
  const parentKeyId = parent === null ? null : extensionOf(parent, oid.subjectKeyIdentifier);
  const algorithm = encode.encodeSequence(encode.encodeObjectIdentifier(schemeOf(signerKey).oid));
  const extensions = [
    extension(oid.basicConstraints, critical, [
      encode.encodeSequence(
        encode.encodeBoolean(true),
        encode.encodeSmallInteger(fields.pathLength),
      ),
    ]),
    // keyCertSign and cRLSign: bits 5 and 6.
    extension(oid.keyUsage, critical, [encode.encodeBitString(Uint8Array.of(0x06), 1)]),
    extension(oid.subjectKeyIdentifier, !critical, [encode.encodeOctetString(keyIdOf(publicKey))]),
    ...(parentKeyId === null ? [] : [authorityKeyId(readOctetString(parentKeyId.value))]),
    ...(fields.nameConstraints === null
      ? []
      : [extension(oid.nameConstraints, critical, [fields.nameConstraints])]),
  ];
  const signed = encode.encodeSequence(
    encode.encodeElement(contextTag(0, "constructed"), encode.encodeSmallInteger(2)),
    encode.encodeUnsigned(fields.serial),
    algorithm,
    parent?.subject.whole ?? subject,
    encode.encodeSequence(encode.encodeTime(fields.notBefore), encode.encodeTime(fields.notAfter)),
    subject,
    publicKey,
    encode.encodeElement(contextTag(3, "constructed"), encode.encodeSequence(...extensions)),
  );
  const signature = sign(schemeOf(signerKey).hash, signed, signerKey);
  return encode.encodeSequence(signed, algorithm, encode.encodeBitString(signature));
}

/** How a key of ours signs; null: it has a hash of its own. */
function schemeOf(key: KeyObject): { readonly oid: string; readonly hash: "sha256" | null } {
  return key.asymmetricKeyType === "ml-dsa-65"
    ? { oid: oid.mlDsa65, hash: null }
    : { oid: oid.ecdsaSha256, hash: "sha256" };
}

function keyIdOf(publicKey: Uint8Array): Uint8Array {
  const fields = openDer(readDer(publicKey), derTag.sequence);
  fields.take(derTag.sequence);
  const { bytes } = readBitString(fields.take(derTag.bitString));
  return createHash("sha256").update(bytes).digest().subarray(0, keyIdBytes);
}

function authorityKeyId(keyId: Uint8Array): Uint8Array {
  const identifier = encode.encodeElement(contextTag(0, "primitive"), keyId);
  return extension(oid.authorityKeyIdentifier, !critical, [encode.encodeSequence(identifier)]);
}

function extension(id: string, isCritical: boolean, value: readonly Uint8Array[]): Uint8Array {
  const flag = isCritical ? [encode.encodeBoolean(true)] : [];
  const octets = encode.encodeOctetString(...value);
  return encode.encodeSequence(encode.encodeObjectIdentifier(id), ...flag, octets);
}
