// Writes a leaf as DER and signs it: the only place that uses the issuer's key. What all leaves of an
// issuer have in common is encoded once; per leaf only serial, times, key and name are.
import { hash, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { oid } from "#/identity/object-identifiers.ts";
import { contextTag, derTag } from "#/lib/der.ts";
import * as encode from "#/lib/der-encode.ts";
import { assert } from "#/lib/assert.ts";
import type { LeafTemplate } from "./template.ts";

export interface SigningIssuer {
  /** DER of the issuer's subject, as its own certificate has it. */
  readonly subject: Uint8Array;
  /** Its subjectKeyIdentifier. */
  readonly keyId: Uint8Array;
  readonly privateKey: KeyObject;
}

export const serialBytes = 16;

const version3 = encode.encodeElement(contextTag(0, "constructed"), encode.encodeSmallInteger(2));
const ecdsaWithSha256 = encode.encodeSequence(encode.encodeObjectIdentifier(oid.ecdsaSha256));
const emptySubject = encode.encodeSequence();
const commonExtensions: readonly Uint8Array[] = [
  // cA is false by default, and DER leaves defaults out.
  extension(oid.basicConstraints, true, encode.encodeSequence()),
  // digitalSignature alone: bit 0 of a named bit list.
  extension(oid.keyUsage, true, encode.encodeBitString(Uint8Array.of(0x80), 7)),
];
const namesType = encode.encodeObjectIdentifier(oid.subjectAlternativeName);
const isCritical = encode.encodeBoolean(true);
const utf8 = new TextEncoder();

/** What the leaves of one issuer have in common, encoded. */
interface LeafForm {
  /** From the signature's algorithm to the issuer's name. */
  readonly issuer: Uint8Array;
  /** All extensions but the names. */
  readonly identity: Uint8Array;
  readonly serving: Uint8Array;
}

/** An issuer is never changed: a new one is another object. */
const forms = new WeakMap<SigningIssuer, LeafForm>();

/** The leaf's DER. `random` is `serialBytes` of them; what of a serial number is not random is set here. */
export function signLeaf(
  template: LeafTemplate,
  issuer: SigningIssuer,
  random: Uint8Array,
): Uint8Array {
  assert(random.length === serialBytes, "a serial number has 16 bytes");
  const form = formOf(issuer);
  const isIdentity = template.dnsNames.length === 0;
  const signed = encode.encodeSequence(
    version3,
    encode.encodeUnsigned(serialNumber(random, template.notBefore)),
    form.issuer,
    encode.encodeSequence(
      encode.encodeTime(template.notBefore),
      encode.encodeTime(template.notAfter),
    ),
    emptySubject,
    template.publicKey,
    encode.encodeElement(
      contextTag(3, "constructed"),
      encode.encodeSequence(isIdentity ? form.identity : form.serving, names(template)),
    ),
  );
  // One byte string is signed and sent (attack case 12): it is not parsed and written again.
  const signature = sign("sha256", signed, issuer.privateKey);
  return encode.encodeSequence(signed, ecdsaWithSha256, encode.encodeBitString(signature));
}

/** SHA-256 of the SubjectPublicKeyInfo, 64 hex digits: what a key is known by in the ledger. */
export function keyFingerprint(publicKey: Uint8Array): string {
  return hash("sha256", publicKey, "hex");
}

function formOf(issuer: SigningIssuer): LeafForm {
  const known = forms.get(issuer);
  if (known !== undefined) return known;
  const keyId = encode.encodeElement(contextTag(0, "primitive"), issuer.keyId);
  const authority = extension(oid.authorityKeyIdentifier, false, encode.encodeSequence(keyId));
  const extensions = (...usages: readonly string[]): Uint8Array =>
    Buffer.concat([...commonExtensions, purposes(...usages), authority]);
  const form: LeafForm = {
    issuer: Buffer.concat([ecdsaWithSha256, issuer.subject]),
    identity: extensions(oid.serverAuth, oid.clientAuth),
    serving: extensions(oid.serverAuth),
  };
  forms.set(issuer, form);
  return form;
}

/** One URI, or DNS names: never both, so that what serves the API server is nobody's identity. */
function names({ id, dnsNames }: LeafTemplate): Uint8Array {
  const listed =
    dnsNames.length === 0 ? [generalName(6, id)] : dnsNames.map((dns) => generalName(2, dns));
  const value = encode.encodeOctetString(encode.encodeSequence(...listed));
  // Critical, as RFC 5280 section 4.2.1.6 demands of certificates without a subject.
  return encode.encodeSequence(namesType, isCritical, value);
}

function generalName(tag: number, text: string): Uint8Array {
  return encode.encodeElement(contextTag(tag, "primitive"), utf8.encode(text));
}

function purposes(...usages: readonly string[]): Uint8Array {
  const listed = usages.map((usage) => encode.encodeObjectIdentifier(usage));
  return extension(oid.extendedKeyUsage, false, encode.encodeSequence(...listed));
}

function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  const flag = critical ? [encode.encodeBoolean(true)] : [];
  return encode.encodeElement(
    derTag.sequence,
    encode.encodeObjectIdentifier(id),
    ...flag,
    encode.encodeOctetString(value),
  );
}

/**
 * A byte that makes it positive and always of one length, five with the second of its begin, ten random ones
 * (RFC 5280 and the CA/Browser Forum ask for eight). Serials that ascend are found side by side in the
 * ledger's index, which then grows at its end alone.
 */
export function serialNumber(random: Uint8Array, notBefore: number): Uint8Array {
  const bytes = Uint8Array.from(random);
  const second = Math.floor(notBefore / 1000);
  bytes[0] = 0x40;
  bytes[1] = Math.floor(second / 2 ** 32) & 0xff;
  new DataView(bytes.buffer).setUint32(2, second >>> 0);
  return bytes;
}
