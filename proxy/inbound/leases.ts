// A verdict is a lease: when policy or suspensions change every live connection is judged again, and closed in
// the same turn when it no longer passes.
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { authorize } from "./authorize.ts";
import type { ConnectionClaim, DenyReason, InboundRules } from "./authorize.ts";

export interface Lease {
  readonly claim: ConnectionClaim;
  /** Ends the connection at once. It may remove leases, its own too, and add others. */
  revoke(reason: DenyReason): void;
}

/** Their number is bounded by that of the connections, which listeners bound. */
export class Leases {
  readonly #live = new Set<Lease>();
  readonly #own: SpiffeId;

  /** `own`: this pod's identity. */
  constructor(own: SpiffeId) {
    this.#own = own;
  }

  get size(): number {
    return this.#live.size;
  }

  add(lease: Lease): void {
    this.#live.add(lease);
  }

  remove(lease: Lease): void {
    this.#live.delete(lease);
  }

  /**
   * Returns how many were closed. Throws what a revocation threw, but only after every lease has been
   * judged: a fault in closing one connection must not keep another open.
   */
  judge(rules: InboundRules | null): number {
    const faults: unknown[] = [];
    let revoked = 0;
    for (const lease of this.#live) {
      const verdict = authorize(rules, lease.claim, this.#own);
      if (verdict.kind === "allow") continue;
      this.#live.delete(lease);
      revoked += 1;
      try {
        lease.revoke(verdict.reason);
      } catch (fault) {
        faults.push(fault);
      }
    }
    if (faults.length > 0) throw new AggregateError(faults, "Cannot close connections");
    return revoked;
  }
}
