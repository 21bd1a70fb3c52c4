// Keys and signatures that are too weak, of another make, or not what they say.
import { constants, generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { oid } from "#/identity/object-identifiers.ts";
import { derTag } from "#/lib/der.ts";
import * as encode from "#/lib/der-encode.ts";
import * as kit from "../forge.ts";
import type { Changes, ChainCase } from "./chain-case.ts";
import {
  authority,
  constrained,
  intermediate,
  issuer,
  leaf,
  above,
  under,
  withLeaf,
} from "./chain-case.ts";

const null_ = Uint8Array.of(derTag.null, 0);
const rsaWithSha1 = "1.2.840.113549.1.1.5";
const rsaPss = "1.2.840.113549.1.1.10";
const ecdsaWithSha1 = "1.2.840.10045.4.1";
const ecdsaWithSha512 = "1.2.840.10045.4.3.4";

const lenient = "it does not look at the parameters of ECDSA, which have no meaning";

const rsa = (bits: number): KeyObject =>
  generateKeyPairSync("rsa", { modulusLength: bits }).privateKey;
const rsa2048 = rsa(2048);
const ed25519 = generateKeyPairSync("ed25519").privateKey;
const byRsa: Changes = { algorithm: oid.rsaSha256, parameters: null_ };

/** A root with this key, and a leaf below it. */
function rooted(key: KeyObject, changes: Changes = {}): Pick<ChainCase, "chain" | "roots"> {
  const own = authority("own", null, kit.authorityExtensions("any"), { key, ...changes });
  return { chain: [leaf(own, changes)], roots: [own.der] };
}

/** An issuer with this key under our intermediate, and a leaf below it. */
function issuedBy(key: KeyObject, changes: Changes): readonly Uint8Array[] {
  const own = authority("issuer", intermediate, constrained, { key });
  return [leaf(own, changes), own.der, intermediate.der];
}

/** A leaf with this key. */
function keyed(key: KeyObject): Pick<ChainCase, "chain" | "key"> {
  return { chain: withLeaf({ key }), key };
}

/** A leaf whose ECDSA signature has a zero byte more before r. */
function padded(signature: Uint8Array): Uint8Array {
  const [r, s] = [signature.subarray(4, 4 + signature[3]!), signature.subarray(4 + signature[3]!)];
  return encode.encodeSequence(encode.encodeElement(derTag.integer, Uint8Array.of(0), r), s);
}

function pssSigned(): readonly Uint8Array[] {
  const hash = encode.encodeSequence(encode.encodeObjectIdentifier("2.16.840.1.101.3.4.2.1"));
  const mask = encode.encodeSequence(encode.encodeObjectIdentifier("1.2.840.113549.1.1.8"), hash);
  const parameters = encode.encodeSequence(
    encode.encodeElement(0xa0, hash),
    encode.encodeElement(0xa1, mask),
    encode.encodeElement(0xa2, encode.encodeSmallInteger(32)),
  );
  const own = authority("issuer", intermediate, constrained, { key: rsa2048 });
  let signed = new Uint8Array();
  const rewrite = (bytes: Uint8Array): Uint8Array => (signed = Uint8Array.from(bytes));
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  const resign = (): Uint8Array => sign("sha256", signed, { key: rsa2048, ...padding });
  return [leaf(own, { algorithm: rsaPss, parameters, rewrite, resign }), own.der, intermediate.der];
}

/** The issuer's key with its curve written out (RFC 5480 section 2.1.1 forbids it): CVE-2020-0601. */
const explicitCurve = new Uint8Array(
  generateKeyPairSync("ec", { namedCurve: "P-256", paramEncoding: "explicit" }).publicKey.export({
    type: "spki",
    format: "der",
  }),
);

const fits = { verdict: "chain_signature_invalid" } as const;
const leafOnly = { verdict: "leaf_key_unsupported" } as const;
const anyKey = { openssl: "it takes every key that is strong enough", goSpiffe: "as openssl" };

export const keys: readonly ChainCase[] = [
  {
    title: "attack-4 a root of RSA-1024",
    ...rooted(rsa(1024), byRsa),
    ...fits,
    differs: {
      openssl: "openssl verify holds roots to no strength without -auth_level",
      goSpiffe: "Go leaves strength to who makes roots",
    },
  },
  { title: "a root of RSA-2048", ...rooted(rsa2048, byRsa), verdict: "accepted" },
  { title: "a root of P-384", ...rooted(kit.newKey("P-384")), verdict: "accepted" },
  {
    title: "attack-4 a root on secp256k1",
    ...rooted(kit.newKey("secp256k1")),
    ...fits,
    differs: {
      openssl: "a curve of its list",
      sidecar: "as openssl: which roots there are is for the controller to say",
    },
  },
  {
    title: "attack-4 a root on P-192",
    ...rooted(kit.newKey("prime192v1")),
    ...fits,
    differs: { openssl: "as a root of RSA-1024" },
  },
  {
    title: "attack-4 an issuer of RSA-1024",
    chain: issuedBy(rsa(1024), byRsa),
    ...fits,
    differs: { openssl: "as a root of RSA-1024", goSpiffe: "as a root of RSA-1024" },
  },
  {
    title: "attack-4 an issuer on P-192",
    chain: issuedBy(kit.newKey("prime192v1"), {}),
    ...fits,
    differs: { openssl: "as a root of RSA-1024" },
  },
  {
    title: "an issuer of Ed25519",
    chain: issuedBy(ed25519, { algorithm: oid.ed25519, hash: null }),
    ...fits,
    differs: {
      openssl: "a scheme of its list",
      goSpiffe: "as openssl",
      sidecar: "as openssl; no authority of ours has such a key, and one that has is as strong",
    },
  },
  {
    title: "attack-4 a leaf on P-192",
    ...keyed(kit.newKey("prime192v1")),
    ...leafOnly,
    differs: { openssl: anyKey.openssl },
  },
  {
    title: "attack-4 a leaf of RSA-1024",
    ...keyed(rsa(1024)),
    ...leafOnly,
    differs: { openssl: "as a root of RSA-1024", goSpiffe: "as a root of RSA-1024" },
  },
  { title: "a leaf of RSA-2048", ...keyed(rsa2048), ...leafOnly, differs: anyKey },
  { title: "a leaf of P-384", ...keyed(kit.newKey("P-384")), ...leafOnly, differs: anyKey },
  { title: "attack-5 a leaf of Ed25519", ...keyed(ed25519), ...leafOnly, differs: anyKey },
  {
    title: "attack-4 an issuer whose curve is written out",
    chain: under(constrained, { publicKey: explicitCurve }),
    ...fits,
  },
  {
    title: "attack-4 SHA-1 under the leaf (ECDSA)",
    chain: withLeaf({ algorithm: ecdsaWithSha1, hash: "sha1" }),
    ...fits,
    differs: { openssl: "openssl verify asks for no strength without -auth_level" },
  },
  {
    title: "attack-4 SHA-1 under the leaf (RSA)",
    chain: issuedBy(rsa2048, { algorithm: rsaWithSha1, hash: "sha1", parameters: null_ }),
    ...fits,
    differs: { openssl: "openssl verify asks for no strength without -auth_level" },
  },
  {
    title: "attack-4 SHA-1 under the issuer",
    chain: under(constrained, { algorithm: ecdsaWithSha1, hash: "sha1" }),
    ...fits,
    differs: { openssl: "openssl verify asks for no strength without -auth_level" },
  },
  {
    title: "SHA-512 under the leaf",
    chain: withLeaf({ algorithm: ecdsaWithSha512, hash: "sha512" }),
    ...fits,
    differs: {
      openssl: "a scheme of its list",
      goSpiffe: "as openssl",
      sidecar: "as openssl; as strong as what our CA signs with",
    },
  },
  {
    title: "RSA-PSS under the leaf",
    chain: pssSigned(),
    ...fits,
    differs: {
      openssl: "a scheme of its list",
      goSpiffe: "as openssl",
      sidecar: "as openssl; as strong as what our CA signs with",
    },
  },
  {
    title: "a signature of another hash than it says",
    chain: withLeaf({ hash: "sha384" }),
    ...fits,
  },
  {
    title: "attack-12 another algorithm outside than was signed",
    chain: withLeaf({ outerAlgorithm: oid.ecdsaSha384 }),
    verdict: "certificate_malformed",
  },
  {
    title: "attack-5 parameters in an ECDSA algorithm",
    chain: withLeaf({ parameters: null_ }),
    verdict: "certificate_malformed",
    differs: { openssl: lenient, goSpiffe: lenient },
  },
  {
    title: "attack-5 a padded number in the signature",
    chain: withLeaf({ resign: padded }),
    ...fits,
  },
  {
    title: "a signature that is empty",
    chain: withLeaf({ resign: () => new Uint8Array() }),
    ...fits,
  },
  {
    title: "a signature of zeros",
    chain: withLeaf({ resign: (one) => new Uint8Array(one.length) }),
    ...fits,
  },
  {
    title: "attack-12 the issuer's signature under another leaf's text",
    chain: [
      leaf(issuer, { resign: () => sign("sha256", Buffer.from("other"), issuer.key) }),
      ...above,
    ],
    ...fits,
  },
];
