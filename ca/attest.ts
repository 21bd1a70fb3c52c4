// Who asks: from a token to an identity. The token is verified against the issuer's keys (or by
// Kubernetes, behind the same seam); what it says is then held against what is known of the pod, and
// against where the connection comes from. Nobody is trusted for being near: an address is compared,
// it proves nothing by itself (attack case 11).
import { hash } from "node:crypto";
import { createLocalJWKSet, errors, jwtVerify } from "jose";
import type { JWTPayload } from "jose";
import { workloadId } from "#/identity/spiffe-id.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import { normalizeIp } from "#/lib/ip.ts";
import { CaError } from "./ca-error.ts";
import { KeySetSource } from "./key-set.ts";

/** The only audience there is; no fallback to another (attack case 9). */
const tokenAudience = "signet-ca";
/** Characters. A projected token has some 1,200; looked at before anything else. */
export const tokenCharactersMax = 16_384;
/** Projected tokens live 10 minutes; one that claims a longer life was made for something else. */
const tokenLifeMsMax = 3_600_000;
/** Tokens that are remembered: one for each workload of a large replica, some 2 KiB each. */
export const tokensKnownMax = 4_096;
/** How far the clock of whoever signs tokens may be ahead. */
const tokenSkewS = 10;
/** Asymmetric alone: `none` and HMAC would let anyone who has read the JWKS sign. */
const algorithms = ["RS256", "ES256", "ES384", "EdDSA"];

/** What a genuine token says. */
export interface ReviewedToken {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly podName: string;
  readonly podUid: string;
  /** SHA-256 of the token's own identifier, hex: it can be logged, the token cannot. */
  readonly tokenHash: string;
}

export type TokenAuthority = "token-review" | "jwks";

/** Verifies a token; rejects with CaError. The seam for Kubernetes' TokenReview. */
export interface TokenReviewer {
  /** Who says so, for the log. */
  readonly authority: TokenAuthority;
  review(token: string): Promise<ReviewedToken>;
}

export interface DirectoryPod {
  readonly uid: string;
  readonly serviceAccount: string;
  /** Where it runs; empty when that is not known. */
  readonly node: string;
  /** All of its addresses; empty while it has none. */
  readonly addresses: readonly string[];
  /** Not finished. A pod that is being stopped is live until its containers have ended. */
  readonly isLive: boolean;
}

/** What the CA needs to know of the world, and no more. */
export interface WorkloadDirectory {
  /** null when there is no such pod. Names are compared whole. */
  pod(namespace: string, name: string): DirectoryPod | null;
  /** Nothing is issued to it until somebody takes that back. */
  isSuspended(id: SpiffeId): boolean;
}

export interface AttestOptions {
  readonly reviewer: TokenReviewer;
  readonly directory: WorkloadDirectory;
  readonly trustDomain: TrustDomain;
}

/** A workload that has proven who it is. */
export interface Attested extends ReviewedToken {
  readonly id: SpiffeId;
  /** Where the connection comes from, canonical. */
  readonly address: string;
  readonly node: string;
  readonly attestedBy: TokenAuthority;
}

/**
 * Rejects with CaError unless `token` is genuine and bound to a pod that exists, is live, has that
 * UID and that service account, and has `peerAddress` (attack cases 8 to 10), and whose identity is not
 * suspended.
 */
export async function attest(
  token: string,
  peerAddress: string,
  { reviewer, directory, trustDomain }: AttestOptions,
): Promise<Attested> {
  const reviewed = await reviewer.review(token);
  const { namespace, serviceAccount, podName, podUid } = reviewed;
  const shown = `${namespace}/${podName}`;
  // Looked up after the review: what was true before it may not be any more.
  const pod = directory.pod(namespace, podName);
  if (pod === null) throw refused("pod_unknown", shown, "there is no such pod");
  if (pod.uid !== podUid) throw refused("pod_uid_mismatch", shown, "the pod was replaced");
  if (!pod.isLive) throw refused("pod_not_live", shown, "the pod is finished");
  if (pod.serviceAccount !== serviceAccount) {
    throw refused("service_account_mismatch", shown, `the pod is not of "${serviceAccount}"`);
  }
  const address = normalizeIp(peerAddress);
  if (!pod.addresses.some((own) => normalizeIp(own) === address)) {
    throw refused("address_mismatch", shown, `"${address}" is not an address of the pod`);
  }
  const id = identify(trustDomain, namespace, serviceAccount);
  if (directory.isSuspended(id)) {
    throw new CaError("identity_suspended", `Cannot issue for "${id}": it is suspended`, {
      next: `See why: signet identity list; take it back: signet identity resume ${id}`,
    });
  }
  return { ...reviewed, id, address, node: pod.node, attestedBy: reviewer.authority };
}

export interface JwksReviewerOptions {
  /** Exactly as the tokens' `iss` has it. */
  readonly issuer: string;
  /** Reads the JWKS as JSON; called again for unknown keys and after a minute. */
  readonly readJwks: () => Promise<string>;
  readonly clock: Clock;
}

/**
 * Reviews service account tokens by their issuer's public keys. A token that verified is remembered
 * with the keys that it verified with: a sidecar shows the same one at each renewal, and the second
 * time only its end has to be looked at again.
 */
export function createJwksReviewer({
  issuer,
  readJwks,
  clock,
}: JwksReviewerOptions): TokenReviewer {
  const keys = new KeySetSource({ read: readJwks, parse: parseKeys, clock });
  const known = new Map<string, Verified>();
  return {
    authority: "jwks",
    async review(token) {
      if (token.length > tokenCharactersMax) {
        throw new CaError("token_invalid", `Cannot read token: ${token.length} characters`);
      }
      const held = await keys.current();
      const name = hash("sha256", token, "hex");
      let found = known.get(name);
      if (found === undefined || found.keys !== held) {
        found = await verify(token, held, { keys, issuer, now: clock.now() });
        remember(known, name, found);
      }
      return readClaims(found.claims, token, clock.now());
    },
  };
}

interface Verified {
  readonly claims: JWTPayload;
  /** What it was verified with: of no use with any other. */
  readonly keys: KeySet;
}

/** The oldest makes room. */
function remember(known: Map<string, Verified>, name: string, verified: Verified): void {
  known.delete(name);
  const oldest = known.size >= tokensKnownMax ? known.keys().next().value : undefined;
  if (oldest !== undefined) known.delete(oldest);
  known.set(name, verified);
}

interface VerifyWith {
  readonly keys: KeySetSource<KeySet>;
  readonly issuer: string;
  readonly now: number;
}

/** With newer keys when none of those `held` is the token's. Rejects with CaError. */
async function verify(token: string, held: KeySet, options: VerifyWith): Promise<Verified> {
  const { keys, issuer, now } = options;
  try {
    return await verifyWith(token, held, issuer, now).catch(async (thrown) => {
      if (!(thrown instanceof errors.JWKSNoMatchingKey)) throw thrown;
      const newer = await keys.newerThan(held);
      if (newer === null || newer === held) throw thrown;
      return verifyWith(token, newer, issuer, now);
    });
  } catch (thrown) {
    throw asCaError(thrown);
  }
}

type KeySet = ReturnType<typeof createLocalJWKSet>;

function parseKeys(text: string): KeySet {
  const { keys } = JSON.parse(text) as { readonly keys?: readonly { readonly kty?: string }[] };
  // An empty set would verify nothing, and a secret key in it must never verify anything.
  const usable = (keys ?? []).filter(({ kty }) => kty !== "oct");
  if (usable.length === 0) throw new Error("the key set holds no public key");
  return createLocalJWKSet({ keys: [...usable] as never });
}

async function verifyWith(
  token: string,
  keys: KeySet,
  issuer: string,
  now: number,
): Promise<Verified> {
  const { payload } = await jwtVerify(token, keys, {
    issuer,
    audience: tokenAudience,
    algorithms,
    requiredClaims: ["exp", "iat", "sub", "aud"],
    clockTolerance: tokenSkewS,
    currentDate: new Date(now),
  });
  return { claims: payload, keys };
}

/** The claims of Kubernetes' bound tokens. Throws CaError. */
function readClaims(claims: JWTPayload, token: string, now: number): ReviewedToken {
  const { exp = 0, iat = 0, aud, sub, jti } = claims;
  // The tolerance is for clocks that are ahead; it does not lengthen a life.
  if (exp * 1000 <= now) throw new CaError("token_expired", "Cannot accept token: it has expired");
  if ((exp - iat) * 1000 > tokenLifeMsMax) {
    throw new CaError("token_invalid", "Cannot accept token: it lives longer than an hour");
  }
  // A token that others are shown, too, could be replayed by them.
  if (Array.isArray(aud) && aud.length !== 1) {
    throw new CaError("token_audience_wrong", "Cannot accept token: it has other audiences, too");
  }
  const bound = record(claims["kubernetes.io"]);
  const namespace = text(bound["namespace"]);
  const serviceAccount = text(record(bound["serviceaccount"])["name"]);
  const podName = text(record(bound["pod"])["name"]);
  const podUid = text(record(bound["pod"])["uid"]);
  if (namespace === "" || serviceAccount === "" || podName === "" || podUid === "") {
    throw new CaError("token_not_pod_bound", "Cannot accept token: it is bound to no pod", {
      next: "Mount a projected service account token; others are not bound to a pod",
    });
  }
  if (sub !== `system:serviceaccount:${namespace}:${serviceAccount}`) {
    throw new CaError("token_invalid", "Cannot accept token: its subject is another account");
  }
  const tokenHash = hash("sha256", typeof jti === "string" && jti !== "" ? jti : token, "hex");
  return { namespace, serviceAccount, podName, podUid, tokenHash };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function identify(td: TrustDomain, namespace: string, serviceAccount: string): SpiffeId {
  try {
    return workloadId(td, namespace, serviceAccount);
  } catch (cause) {
    throw new CaError("token_invalid", `Cannot accept token: ${messageOf(cause)}`, { cause });
  }
}

/** Total. jose's messages name claims, never their values. */
function asCaError(thrown: unknown): CaError {
  if (thrown instanceof CaError) return thrown;
  const state = messageOf(thrown);
  if (thrown instanceof errors.JWTExpired) {
    return new CaError("token_expired", "Cannot accept token: it has expired", { cause: thrown });
  }
  if (thrown instanceof errors.JWTClaimValidationFailed && thrown.claim === "aud") {
    return new CaError(
      "token_audience_wrong",
      `Cannot accept token: it is not for audience "${tokenAudience}"`,
      { cause: thrown },
    );
  }
  if (thrown instanceof errors.JWTClaimValidationFailed && thrown.claim === "iss") {
    return new CaError("token_issuer_wrong", "Cannot accept token: it is of another issuer", {
      cause: thrown,
    });
  }
  return new CaError("token_invalid", `Cannot accept token: ${state}`, { cause: thrown });
}

function refused(
  code:
    | "pod_unknown"
    | "pod_uid_mismatch"
    | "pod_not_live"
    | "service_account_mismatch"
    | "address_mismatch",
  pod: string,
  state: string,
): CaError {
  return new CaError(code, `Cannot accept token of pod "${pod}": ${state}`);
}
