// Whether a connection may reach the application. Pure: the policy, and what is known of the
// connection. Everything that is not plainly allowed is denied, with a reason that log, metric and
// explanation share; the peer is told nothing.
//
// DISABLE asks callers for nothing. Istio takes mutual TLS off such a port altogether; here a caller
// that proves an identity of the mesh is still accepted, because our sidecars never speak plaintext
// to an endpoint of the mesh, and one that proves itself is the better caller. An identity that is not
// of the mesh is refused under every mode: who shows a certificate claims to be somebody, and is not.
import type { MtlsMode, ServerPolicy } from "#/api/policy.ts";
import { modeOfPort } from "#/api/policy.ts";
import { trustDomainOf } from "#/identity/spiffe-id.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import { isPostQuantum } from "../tls/key-exchange.ts";

export interface ConnectionClaim {
  /** The pod's port that is asked for. */
  readonly port: number;
  /** Proven by mTLS; null: plaintext (or TLS that is the application's own). */
  readonly identity: SpiffeId | null;
  /** In which the connection agreed on keys; empty for plaintext. */
  readonly group: string;
}

export type DenyReason =
  | "no_policy"
  | "plaintext_under_strict"
  | "foreign_trust_domain"
  | "key_exchange_classical";

export type Verdict =
  | { readonly kind: "allow" }
  | { readonly kind: "deny"; readonly reason: DenyReason };

const allow: Verdict = { kind: "allow" };
const denyWithoutPolicy: Verdict = { kind: "deny", reason: "no_policy" };
const denyForeign: Verdict = { kind: "deny", reason: "foreign_trust_domain" };
const denyClassical: Verdict = { kind: "deny", reason: "key_exchange_classical" };
const denyPlaintext: Verdict = { kind: "deny", reason: "plaintext_under_strict" };

/** `policy` null: not told yet, nothing may pass. */
export function authorize(
  policy: ServerPolicy | null,
  claim: ConnectionClaim,
  trustDomain: TrustDomain,
): Verdict {
  const { identity, port, group } = claim;
  if (policy === null) return denyWithoutPolicy;
  if (identity !== null && trustDomainOf(identity) !== trustDomain) return denyForeign;
  if (identity === null && !admitsPlaintext(modeOfPort(policy, port))) return denyPlaintext;
  if (identity !== null && policy.requiresPostQuantum && !isPostQuantum(group))
    return denyClassical;
  return allow;
}

/** A mode that is not known admits nothing. */
function admitsPlaintext(mode: MtlsMode): boolean {
  switch (mode) {
    case "strict":
      return false;
    case "permissive":
    case "disable":
      return true;
    default:
      mode satisfies never;
      return false;
  }
}
