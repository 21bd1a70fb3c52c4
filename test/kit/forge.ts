// Certificates with any fault one likes, byte by byte: what a library refuses to write, an attacker
// does not. Only tests know this file.
import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { oid } from "#/identity/object-identifiers.ts";
import { contextTag, derTag } from "#/lib/der.ts";
import * as encode from "#/lib/der-encode.ts";

/** 2026-01-01, and what certificates live around it unless they say otherwise. */
export const forgeNow: number = Date.UTC(2026, 0, 1);
const lifeMs = 3_600_000;

export interface Identity {
  readonly name: string;
  readonly key: KeyObject;
}

export interface ForgeOptions {
  /** Common name; empty for an empty subject. */
  readonly subject: string;
  /** Whose key and name sign; absent: its own. */
  readonly issuer?: Identity;
  readonly key: KeyObject;
  readonly extensions: readonly Uint8Array[];
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** Contents of the INTEGER. */
  readonly serial?: Uint8Array;
  /** 2 is version 3; null leaves the field out, as version 1 does. */
  readonly version?: number | null;
  /** Default: ECDSA with SHA-256, which the issuer's key has to fit. */
  readonly algorithm?: string;
  /** Of the outer field alone. */
  readonly outerAlgorithm?: string;
  /** Instead of the key's own. */
  readonly publicKey?: Uint8Array;
  /** What the issuer signs over; default SHA-256. null: the key has a hash of its own. */
  readonly hash?: string | null;
  /** Of both algorithm fields, behind the identifier. */
  readonly parameters?: Uint8Array;
  /** The whole SEQUENCE of the two times. */
  readonly validity?: Uint8Array;
  /** Last hand on what is about to be signed. */
  readonly rewrite?: (signed: Uint8Array) => Uint8Array;
  /** Last hand on the signature. */
  readonly resign?: (signature: Uint8Array) => Uint8Array;
}

export function newKey(curve = "P-256"): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: curve }).privateKey;
}

export function spkiOf(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ type: "spki", format: "der" }));
}

export function forge(options: ForgeOptions): Uint8Array {
  const { subject, key, issuer = { name: subject, key }, version = 2, hash = "sha256" } = options;
  const { notBefore = forgeNow - lifeMs, notAfter = forgeNow + lifeMs } = options;
  const { algorithm = oid.ecdsaSha256, outerAlgorithm = algorithm, parameters } = options;
  const { rewrite = unchanged, resign = unchanged, extensions } = options;
  const identifier = (id: string): Uint8Array =>
    encode.encodeSequence(encode.encodeObjectIdentifier(id), parameters ?? new Uint8Array());
  const explicit = (tag: number, ...parts: readonly Uint8Array[]): Uint8Array =>
    encode.encodeElement(contextTag(tag, "constructed"), ...parts);
  const signed = rewrite(
    encode.encodeSequence(
      version === null ? new Uint8Array() : explicit(0, encode.encodeSmallInteger(version)),
      encode.encodeElement(derTag.integer, options.serial ?? Uint8Array.of(0x41, 0x42)),
      identifier(algorithm),
      encodeName(issuer.name),
      options.validity ??
        encode.encodeSequence(encode.encodeTime(notBefore), encode.encodeTime(notAfter)),
      encodeName(subject),
      options.publicKey ?? spkiOf(key),
      extensions.length === 0
        ? new Uint8Array()
        : explicit(3, encode.encodeSequence(...extensions)),
    ),
  );
  return encode.encodeSequence(
    signed,
    identifier(outerAlgorithm),
    encode.encodeBitString(resign(sign(hash, signed, issuer.key))),
  );
}

function unchanged(bytes: Uint8Array): Uint8Array {
  return bytes;
}

export function encodeName(commonName: string): Uint8Array {
  if (commonName === "") return encode.encodeSequence();
  const attribute = encode.encodeSequence(
    encode.encodeObjectIdentifier(oid.commonName),
    encode.encodeText(derTag.utf8String, commonName),
  );
  return encode.encodeSequence(encode.encodeSet(attribute));
}

export function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  const flag = critical ? [encode.encodeBoolean(true)] : [];
  const octets = encode.encodeOctetString(value);
  return encode.encodeSequence(encode.encodeObjectIdentifier(id), ...flag, octets);
}

export function basicConstraints(pathLength: number | "leaf" | "any", critical = true): Uint8Array {
  const fields = pathLength === "leaf" ? [] : [encode.encodeBoolean(true)];
  if (typeof pathLength === "number") fields.push(encode.encodeSmallInteger(pathLength));
  return extension(oid.basicConstraints, critical, encode.encodeSequence(...fields));
}

/** `first` is the first byte of the bits: 0x80 digitalSignature, 0x04 keyCertSign, 0x02 cRLSign. */
export function keyUsage(first: number, critical = true): Uint8Array {
  const unused = Math.log2(first & -first);
  return extension(oid.keyUsage, critical, encode.encodeBitString(Uint8Array.of(first), unused));
}

export function extendedKeyUsage(...purposes: readonly string[]): Uint8Array {
  const list = purposes.map((purpose) => encode.encodeObjectIdentifier(purpose));
  return extension(oid.extendedKeyUsage, false, encode.encodeSequence(...list));
}

/** A GeneralName by tag number (1 email, 2 dns, 6 uri, 7 ip), with any bytes. */
export function generalName(number: number, value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return encode.encodeElement(contextTag(number, "primitive"), bytes);
}

export function alternativeNames(names: readonly Uint8Array[], critical = true): Uint8Array {
  return extension(oid.subjectAlternativeName, critical, encode.encodeSequence(...names));
}

/** Permitted and excluded URI hosts. */
export function nameConstraints(
  permitted: readonly string[],
  excluded: readonly string[] = [],
  critical = true,
): Uint8Array {
  const fields = [permitted, excluded].flatMap((hosts, index) => {
    const subtrees = hosts.map((host) => encode.encodeSequence(generalName(6, host)));
    const tag = contextTag(index, "constructed");
    return hosts.length === 0 ? [] : [encode.encodeElement(tag, ...subtrees)];
  });
  return extension(oid.nameConstraints, critical, encode.encodeSequence(...fields));
}

export function leafExtensions(id: string): readonly Uint8Array[] {
  return [
    basicConstraints("leaf"),
    keyUsage(0x80),
    extendedKeyUsage(oid.serverAuth, oid.clientAuth),
    alternativeNames([generalName(6, id)]),
  ];
}

export function authorityExtensions(pathLength: number | "any"): readonly Uint8Array[] {
  return [basicConstraints(pathLength), keyUsage(0x06)];
}

/** `signer` signs for a name and a key of its own. */
export function makeAuthority(
  name: string,
  signer: Identity | null,
  extensions: readonly Uint8Array[],
  options: Partial<ForgeOptions> = {},
): Identity & { readonly der: Uint8Array } {
  const key = newKey();
  const issuer = signer ?? { name, key };
  return { name, key, der: forge({ subject: name, key, issuer, extensions, ...options }) };
}
