// A trust domain's bundle as others write and read it: the JWK Set of the SPIFFE Trust Domain and Bundle
// specification. How one of another trust domain is read stands in foreign-bundle.ts. Pure.
import { X509Certificate } from "node:crypto";
import { readCertificate } from "./certificate.ts";
import { jwkOf } from "./jwt-svid.ts";
import type { JwtAuthority } from "./jwt-svid.ts";

export interface BundleDocument {
  /** DER. */
  readonly roots: readonly Uint8Array[];
  readonly jwtAuthorities: readonly JwtAuthority[];
  /** Milliseconds since the Unix epoch: from when the keys for tokens are these. */
  readonly since: number;
  /** How long a reader may wait until it asks again, seconds. */
  readonly refreshHintS: number;
}

/** JSON. */
export function writeBundleDocument(document: BundleDocument): string {
  const { roots, jwtAuthorities, since, refreshHintS } = document;
  const x509 = roots.map((der) => ({
    ...new X509Certificate(der).publicKey.export({ format: "jwk" }),
    use: "x509-svid",
    x5c: [Buffer.from(der).toString("base64")],
  }));
  const jwt = jwtAuthorities.map((authority) =>
    Object.assign({ use: "jwt-svid" }, jwkOf(authority)),
  );
  return JSON.stringify({
    keys: [...x509, ...jwt],
    spiffe_sequence: sequenceOf(roots, since),
    spiffe_refresh_hint: refreshHintS,
  });
}

/**
 * When what is newest in it began, in seconds: so it grows with each root and each day's key, and all replicas
 * tell the same without telling each other. A root that is taken away shows in it the next day.
 */
function sequenceOf(roots: readonly Uint8Array[], since: number): number {
  const begun = roots.map((root) => readCertificate(root).notBefore);
  return Math.floor(Math.max(since, ...begun) / 1000);
}
