// The live connections on which an endpoint has proven its identity, from the handshake to the close and
// whatever they carry: pooled HTTP, opaque TCP, tunnels. Here they end with the certificates that opened
// them, when an identity is suspended, when a federation is withdrawn, and when policy begins to demand other
// keys than theirs: no way of using a connection can escape any of these.
import type { Socket } from "node:net";
import type { Suspended } from "#/api/discovery.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import { trustDomainOf } from "#/identity/spiffe-id.ts";
import type { Clock } from "#/lib/clock.ts";
import { Cut } from "../net/cut.ts";
import type { Deadlines } from "../net/deadline.ts";
import { sever } from "../net/sever.ts";
import type { SeverReason } from "../net/sever.ts";
import type { ProxyMetrics } from "../observe/metrics.ts";
import { isPostQuantum } from "../tls/key-exchange.ts";

export interface ProvenConnectionsOptions {
  /** This pod's own identity. */
  readonly own: SpiffeId;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly metrics: Pick<ProxyMetrics, "expiredConnections" | "refusals">;
}

/** What the handshake came to. */
export interface Proven {
  readonly id: SpiffeId;
  /** In which keys were agreed on. */
  readonly group: string;
}

/** Their number is bounded by the pools' limits and by that of the connections that listeners take. */
export class ProvenConnections {
  readonly #options: ProvenConnectionsOptions;
  readonly #live = new Map<Socket, Proven>();
  #suspended: Suspended = new Set();
  #federated: ReadonlySetLike<TrustDomain> = new Set();

  constructor(options: ProvenConnectionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#live.size;
  }

  /** Whether `peer` may be spoken with, by us. */
  admits(peer: SpiffeId): boolean {
    return this.refusalOf(peer) === null;
  }

  /** Why `peer` must not be spoken with; null: it may. */
  refusalOf(peer: SpiffeId): "identity_suspended" | "trust_domain_not_federated" | null {
    const { own } = this.#options;
    if (this.#suspended.has(peer) || this.#suspended.has(own)) return "identity_suspended";
    const domain = trustDomainOf(peer);
    const isKnown = domain === trustDomainOf(own) || this.#federated.has(domain);
    return isKnown ? null : "trust_domain_not_federated";
  }

  /** `cutAtMs`: wall clock ms, the earlier end of both certificates. */
  add(socket: Socket, peer: Proven, cutAtMs: number): void {
    const { clock, deadlines, metrics } = this.#options;
    const cut = new Cut(cutAtMs, clock, deadlines, () => {
      metrics.expiredConnections.with("outbound", "cut").add();
      sever(socket, "certificate_ended");
    });
    this.#live.set(socket, peer);
    socket.once("close", () => {
      cut.cancel();
      this.#live.delete(socket);
    });
  }

  /** Takes over who is suspended, and closes what is open to them. Returns how many that were. */
  suspend(suspended: Suspended): number {
    if (suspended === this.#suspended) return 0;
    this.#suspended = suspended;
    return this.#severThose(
      ({ id }) => this.refusalOf(id) === "identity_suspended",
      "identity_suspended",
    );
  }

  /** Takes over which other trust domains may be spoken with, and closes what is open to any other. */
  federate(federated: ReadonlySetLike<TrustDomain>): number {
    if (federated === this.#federated) return 0;
    this.#federated = federated;
    return this.#severThose(
      ({ id }) => this.refusalOf(id) === "trust_domain_not_federated",
      "trust_domain_not_federated",
    );
  }

  /** Closes those whose keys were not agreed on post-quantum. Returns how many that were. */
  endClassical(): number {
    return this.#severThose(({ group }) => !isPostQuantum(group), "key_exchange_classical");
  }

  #severThose(isMeant: (peer: Proven) => boolean, reason: SeverReason): number {
    const meant = [...this.#live].filter(([, peer]) => isMeant(peer));
    for (const [socket] of meant) {
      this.#options.metrics.refusals.with("outbound", reason).add();
      sever(socket, reason);
    }
    return meant.length;
  }
}
