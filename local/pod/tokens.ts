// Projected service-account tokens as a cluster signs them, bound to pod and node: ES256, made with a
// key that lives in this process's memory. The only file here that imports jose.
import { createHash, generateKeyPairSync, randomUUID } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { SignJWT, exportJWK } from "jose";

export const tokenIssuer = "https://signet.local";

export interface TokenClaims {
  readonly audience: string;
  readonly lifetimeSeconds: number;
  readonly namespace: string;
  readonly serviceAccount: { readonly name: string; readonly uid: string };
  readonly pod: { readonly name: string; readonly uid: string };
}

export class TokenSigner {
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #keyId: string;
  readonly #now: () => number;

  constructor(now: () => number) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
    const der = publicKey.export({ type: "spki", format: "der" });
    this.#keyId = createHash("sha256").update(der).digest("base64url").slice(0, 22);
    this.#now = now;
  }

  /** The key set that the controller verifies with (RFC 7517). */
  async jwks(): Promise<string> {
    const key = await exportJWK(this.#publicKey);
    return JSON.stringify({ keys: [{ ...key, kid: this.#keyId, alg: "ES256", use: "sig" }] });
  }

  /** A JWT with the claims of a bound Kubernetes token. */
  sign(claims: TokenClaims): Promise<string> {
    const seconds = Math.floor(this.#now() / 1000);
    const { namespace, serviceAccount, pod } = claims;
    return new SignJWT({
      "kubernetes.io": { namespace, serviceaccount: serviceAccount, pod, node: { name: "local" } },
    })
      .setProtectedHeader({ alg: "ES256", kid: this.#keyId })
      .setIssuer(tokenIssuer)
      .setSubject(`system:serviceaccount:${namespace}:${serviceAccount.name}`)
      .setAudience([claims.audience])
      .setIssuedAt(seconds)
      .setNotBefore(seconds)
      .setExpirationTime(seconds + claims.lifetimeSeconds)
      .setJti(randomUUID())
      .sign(this.#privateKey);
  }
}
