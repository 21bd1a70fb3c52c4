// The keys that sign JWT-SVIDs. All replicas sign with the same one, and none tells another: each derives it
// from the intermediate's private key, which every replica holds anyway, and the day. So a token of one replica
// is verified with the bundle of any other, from its first moment, after restarts, and without a channel in
// which somebody else could put a key of his own. Whoever has the intermediate's key can make any identity as
// it is; and nothing is learned of it from what is derived (HKDF).
import { createECDH, createPrivateKey, createPublicKey, hash, hkdfSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { JwtAuthority } from "#/identity/jwt-svid.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { assert } from "#/lib/assert.ts";

/** How long a key signs. */
export const jwtKeyLifeMs = 86_400_000;
/** FIPS 186-5, A.2.1: 64 bits more than the order has, so that what remains is even. */
const seedBytes = 40;
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

export interface JwtKey extends JwtAuthority {
  readonly privateKey: KeyObject;
}

/** The key of the day that `now` (milliseconds since the Unix epoch) is in. */
export function jwtKeyAt(intermediate: KeyObject, trustDomain: TrustDomain, now: number): JwtKey {
  return derive(intermediate, trustDomain, Math.floor(now / jwtKeyLifeMs));
}

/**
 * What tokens are verified with: yesterday's key, today's, and tomorrow's, so that nobody hears of a key too late,
 * and clocks may differ by hours.
 */
export function jwtAuthoritiesAt(
  intermediate: KeyObject,
  trustDomain: TrustDomain,
  now: number,
): readonly JwtAuthority[] {
  const day = Math.floor(now / jwtKeyLifeMs);
  return [day - 1, day, day + 1].map((each) => {
    const { keyId, publicKey } = derive(intermediate, trustDomain, each);
    return { keyId, publicKey };
  });
}

function derive(intermediate: KeyObject, trustDomain: TrustDomain, day: number): JwtKey {
  // The number of a key on a curve; of an ML-DSA key its seed, which stands there as "priv".
  const own = intermediate.export({ format: "jwk" });
  const { d, priv } = own as { readonly d?: string; readonly priv?: string };
  const secret = d ?? priv;
  assert(secret !== undefined, "an intermediate's key is private");
  const info = `signet jwt-svid key\0${trustDomain}\0${day}`;
  const seed = Buffer.from(
    hkdfSync("sha256", Buffer.from(secret, "base64url"), "", info, seedBytes),
  );
  const scalar = (BigInt(`0x${seed.toString("hex")}`) % (order - 1n)) + 1n;
  const privateBytes = Buffer.from(scalar.toString(16).padStart(64, "0"), "hex");
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(privateBytes);
  const point = curve.getPublicKey();
  const [x, y] = [base64url(point.subarray(1, 33)), base64url(point.subarray(33))];
  const jwk = { kty: "EC", crv: "P-256", d: base64url(privateBytes), x, y };
  const privateKey = createPrivateKey({ key: jwk, format: "jwk" });
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  return { keyId: hash("sha256", publicKey, "base64url"), publicKey, privateKey };
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
