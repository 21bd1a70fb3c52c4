// Whether a connection may reach the application. Pure: the rules of now, and what is known of the
// connection. Everything that is not plainly allowed is denied, with a reason that log, metric and
// explanation share; the peer is told nothing.
//
// DISABLE asks callers for nothing. Istio takes mutual TLS off such a port altogether; here a caller
// that proves an identity of the mesh is still accepted, because our sidecars never speak plaintext
// to an endpoint of the mesh, and one that proves itself is the better caller. An identity that is not
// of the mesh is refused under every mode: who shows a certificate claims to be somebody, and is not. One of a
// federated trust domain is admitted where the policy names it, or its trust domain, and nowhere else: that
// somebody can be believed says nothing of what he may do.
import type { Suspended } from "#/api/discovery.ts";
import type { MtlsMode, ServerPolicy } from "#/api/policy.ts";
import { modeOfPort, namesCaller } from "#/api/policy.ts";
import { trustDomainOf } from "#/identity/spiffe-id.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import { isPostQuantum } from "../tls/key-exchange.ts";

/** What holds now, as the controller told it last. */
export interface InboundRules {
  readonly policy: ServerPolicy;
  readonly suspended: Suspended;
  /** Other trust domains that the mesh is federated with. */
  readonly federated: ReadonlySetLike<TrustDomain>;
}

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
  | "foreign_identity_unnamed"
  | "identity_suspended"
  | "key_exchange_classical";

export type Verdict =
  | { readonly kind: "allow" }
  | { readonly kind: "deny"; readonly reason: DenyReason };

const allow: Verdict = { kind: "allow" };
const denyWithoutPolicy: Verdict = { kind: "deny", reason: "no_policy" };
const denyForeign: Verdict = { kind: "deny", reason: "foreign_trust_domain" };
const denyUnnamed: Verdict = { kind: "deny", reason: "foreign_identity_unnamed" };
const denySuspended: Verdict = { kind: "deny", reason: "identity_suspended" };
const denyClassical: Verdict = { kind: "deny", reason: "key_exchange_classical" };
const denyPlaintext: Verdict = { kind: "deny", reason: "plaintext_under_strict" };

/** `rules` null: not told yet, nothing may pass. `own`: this pod's identity, as its caller saw it. */
export function authorize(
  rules: InboundRules | null,
  claim: ConnectionClaim,
  own: SpiffeId,
): Verdict {
  const { identity, port, group } = claim;
  if (rules === null) return denyWithoutPolicy;
  if (identity === null) {
    return admitsPlaintext(modeOfPort(rules.policy, port)) ? allow : denyPlaintext;
  }
  const domain = trustDomainOf(identity);
  if (domain !== trustDomainOf(own)) {
    if (!rules.federated.has(domain)) return denyForeign;
    if (!namesCaller(rules.policy.foreignCallers, identity)) return denyUnnamed;
  }
  if (rules.suspended.has(identity) || rules.suspended.has(own)) return denySuspended;
  if (rules.policy.requiresPostQuantum && !isPostQuantum(group)) return denyClassical;
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
