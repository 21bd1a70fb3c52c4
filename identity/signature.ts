// Signatures of certificates, by a short list of schemes. OpenSSL does the arithmetic.
import { createPublicKey, verify } from "node:crypto";
import type { Certificate } from "./certificate.ts";
import { oid } from "./object-identifiers.ts";
import type { KeyKind } from "./public-key.ts";

interface SignatureScheme {
  /** null: the scheme has its own. */
  readonly hash: "sha256" | "sha384" | null;
  readonly keys: readonly KeyKind[];
}

/** What an authority may sign with; anything else (SHA-1, Ed25519, RSA-PSS) is refused. */
const signatureSchemes: ReadonlyMap<string, SignatureScheme> = new Map([
  [oid.ecdsaSha256, { hash: "sha256", keys: ["ec-p256", "ec-p384"] }],
  [oid.ecdsaSha384, { hash: "sha384", keys: ["ec-p256", "ec-p384"] }],
  [oid.mlDsa65, { hash: null, keys: ["ml-dsa-65"] }],
  [oid.rsaSha256, { hash: "sha256", keys: ["rsa"] }],
  [oid.rsaSha384, { hash: "sha384", keys: ["rsa"] }],
]);
const rsaBitsMin = 2048;

/** False also for a scheme that is not listed and for a key that cannot be loaded. */
export function isSignedBy(child: Certificate, issuer: Certificate): boolean {
  const scheme = signatureSchemes.get(child.signatureAlgorithm);
  if (scheme === undefined || !scheme.keys.includes(issuer.publicKey.kind)) return false;
  try {
    const der = Buffer.from(issuer.publicKey.der);
    const key = createPublicKey({ key: der, format: "der", type: "spki" });
    const isShort = (key.asymmetricKeyDetails?.modulusLength ?? rsaBitsMin) < rsaBitsMin;
    return !isShort && verify(scheme.hash, child.signed, key, child.signature);
  } catch {
    // A key that OpenSSL cannot load has signed nothing.
    return false;
  }
}
