// JWT-SVIDs: tokens that name a workload, for one audience or some, signed by a key that its trust domain's
// bundle has. The rules are those of the SPIFFE JWT-SVID specification, narrowly: ES256 alone, a key that is
// named, no header field beyond the three that there may be. Pure but for node:crypto.
import { createPublicKey, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { IdentityError } from "./identity-error.ts";
import type { IdentityErrorCode } from "./identity-error.ts";
import { parseSpiffeId, trustDomainOf } from "./spiffe-id.ts";
import type { SpiffeId, TrustDomain } from "./spiffe-id.ts";

/** Whose tokens count: the public half of a key that signs them. */
export interface JwtAuthority {
  /** What a token's header calls it. */
  readonly keyId: string;
  /** DER of SubjectPublicKeyInfo, P-256. */
  readonly publicKey: Uint8Array;
}

export interface JwtFacts {
  readonly id: SpiffeId;
  /** Seconds since the Unix epoch. */
  readonly expiresAtS: number;
  /** All of them, as they stand in the token. */
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface JwtRules {
  readonly authorities: readonly JwtAuthority[];
  readonly trustDomain: TrustDomain;
  /** The token must be for it. */
  readonly audience: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** Characters. One of ours has some 500. */
export const jwtCharactersMax = 16_384;
/** How far the clock of whoever signs may be ahead. It does not lengthen a life. */
const skewS = 10;

/** Throws IdentityError unless `token` is genuine, of the trust domain, for the audience, and lives. */
export function verifyJwtSvid(token: string, rules: JwtRules): JwtFacts {
  if (token.length > jwtCharactersMax) {
    throw refused("jwt_malformed", `it has more than ${jwtCharactersMax} characters`);
  }
  const parts = token.split(".");
  const [header = "", payload = "", signature = ""] = parts;
  if (parts.length !== 3) throw refused("jwt_malformed", "it has not three parts");
  const key = keyFor(readObject(header), rules.authorities);
  const signed = Buffer.from(`${header}.${payload}`);
  const encoding = { key, dsaEncoding: "ieee-p1363" } as const;
  if (!verify("sha256", signed, encoding, readBytes(signature))) {
    throw refused("jwt_signature_invalid", "its signature is not that of its key");
  }
  return readClaims(readObject(payload), rules);
}

/**
 * Of which trust domain a token says it is: by whose keys it is to be verified, which nothing has done yet. null
 * for what names none.
 */
export function claimedTrustDomain(token: string): TrustDomain | null {
  if (token.length > jwtCharactersMax) return null;
  try {
    const { sub } = readObject(token.split(".")[1] ?? "");
    return typeof sub === "string" ? trustDomainOf(parseSpiffeId(sub)) : null;
  } catch {
    return null;
  }
}

/** The JWK Set of the authorities (RFC 7517), as Workload API and bundles carry it. */
export function jwksOf(authorities: readonly JwtAuthority[]): string {
  return JSON.stringify({ keys: authorities.map((authority) => jwkOf(authority)) });
}

export function jwkOf({ keyId, publicKey }: JwtAuthority): Readonly<Record<string, unknown>> {
  return { ...keyObject(publicKey).export({ format: "jwk" }), kid: keyId, alg: "ES256" };
}

function keyFor(
  header: Readonly<Record<string, unknown>>,
  authorities: readonly JwtAuthority[],
): KeyObject {
  const { alg, kid, typ, ...others } = header;
  if (alg !== "ES256") throw refused("jwt_header_invalid", "its algorithm is not ES256");
  if (typ !== undefined && typ !== "JWT" && typ !== "JOSE") {
    throw refused("jwt_header_invalid", "its type is neither JWT nor JOSE");
  }
  if (Object.keys(others).length > 0) {
    throw refused("jwt_header_invalid", "its header has a field that it may not have");
  }
  const authority = authorities.find(({ keyId }) => keyId === kid);
  if (authority === undefined) throw refused("jwt_key_unknown", "no key of the bundle signed it");
  return keyObject(authority.publicKey);
}

function readClaims(
  claims: Readonly<Record<string, unknown>>,
  { trustDomain, audience, now }: JwtRules,
): JwtFacts {
  const { sub, aud, exp, iat = 0, nbf = 0 } = claims;
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(audience)) {
    throw refused("jwt_audience_wrong", `it is not for audience "${audience.slice(0, 128)}"`);
  }
  if (!isTime(exp) || !isTime(iat) || !isTime(nbf)) {
    throw refused("jwt_claims_invalid", "its times are no numbers, or it has no end");
  }
  const nowS = now / 1000;
  if (exp <= nowS) throw refused("jwt_expired", "it has expired");
  if (Math.max(iat, nbf) > nowS + skewS) {
    throw refused("jwt_claims_invalid", "it begins in the future");
  }
  if (typeof sub !== "string") throw refused("jwt_claims_invalid", "it names nobody");
  const id = parseSpiffeId(sub);
  if (trustDomainOf(id) !== trustDomain) {
    throw refused("jwt_claims_invalid", `"${id}" is not of trust domain "${trustDomain}"`);
  }
  return { id, expiresAtS: exp, claims };
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function keyObject(publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
}

function readObject(part: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(readBytes(part)));
  } catch (cause) {
    if (cause instanceof IdentityError) throw cause;
    throw refused("jwt_malformed", "a part of it is no JSON");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw refused("jwt_malformed", "a part of it is no JSON object");
}

/** Of base64url there is one way to write a thing; no other is read. */
function readBytes(part: string): Buffer {
  const bytes = Buffer.from(part, "base64url");
  if (bytes.toString("base64url") === part) return bytes;
  throw refused("jwt_malformed", "a part of it is not base64url");
}

function refused(code: IdentityErrorCode, state: string): IdentityError {
  return new IdentityError(code, `Cannot accept token: ${state}`);
}
