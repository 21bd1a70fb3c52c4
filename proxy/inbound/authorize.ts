// Whether a connection may reach the application. Pure: the policy, and what is known of the
// connection. Everything that is not plainly allowed is denied, with a reason that log, metric and
// explanation share; the peer is told nothing.
import type { ServerPolicy } from "#/api/policy.ts";
import { modeOfPort } from "#/api/policy.ts";
import { trustDomainOf } from "#/identity/spiffe-id.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";

export interface ConnectionClaim {
  /** The pod's port that is asked for. */
  readonly port: number;
  /** Proven by mTLS; null: plaintext (or TLS that is the application's own). */
  readonly identity: SpiffeId | null;
}

export type DenyReason = "no_policy" | "plaintext_under_strict" | "foreign_trust_domain";

export type Verdict =
  | { readonly kind: "allow" }
  | { readonly kind: "deny"; readonly reason: DenyReason };

const allow: Verdict = { kind: "allow" };

/** `policy` null: not told yet, nothing may pass. */
export function authorize(
  policy: ServerPolicy | null,
  claim: ConnectionClaim,
  trustDomain: TrustDomain,
): Verdict {
  if (policy === null) return { kind: "deny", reason: "no_policy" };
  if (claim.identity === null) {
    const strict = modeOfPort(policy, claim.port) === "strict";
    return strict ? { kind: "deny", reason: "plaintext_under_strict" } : allow;
  }
  if (trustDomainOf(claim.identity) !== trustDomain) {
    return { kind: "deny", reason: "foreign_trust_domain" };
  }
  // Also under DISABLE: it asks callers for nothing, and one that proves itself is the better caller.
  return allow;
}
