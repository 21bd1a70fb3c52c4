// How the outbound side reaches an endpoint: mutual TLS to those that are in the mesh, plaintext to the
// others. An endpoint with an identity is never spoken to in plaintext.
import type { Socket } from "node:net";
import type { ServerPolicy } from "#/api/policy.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Log } from "#/lib/log.ts";
import type { Watch } from "#/lib/watch.ts";
import { dial } from "../net/dial.ts";
import type { ProxyMetrics } from "../observe/metrics.ts";
import { plaintextFacts } from "../stream/transport.ts";
import type { ConnectionFacts, Connector, UpstreamFailure } from "../stream/transport.ts";
import { alpnHttp2 } from "../tls/credentials.ts";
import type { Credentials } from "../tls/credentials.ts";
import { connectionLife } from "../tls/lifetime.ts";
import { originate } from "../tls/originate.ts";
import type { OriginateFault } from "../tls/originate.ts";
import type { EndpointState } from "./endpoint.ts";
import type { ProvenConnections } from "./proven.ts";

export const connectTimeoutMs = 5_000;

/** Faults that say something of who is there, and not of whether anybody is. */
const refusals: ReadonlySet<OriginateFault> = new Set([
  "identity_refused",
  "tls_failed",
  "key_exchange_classical",
]);

/** As much of what the controller told this pod as outbound has to know. */
export interface OwnRules {
  readonly policy: Pick<ServerPolicy, "requiresPostQuantum">;
}

export interface EndpointConnectorOptions {
  /** What is offered to endpoints of the mesh. */
  readonly protocols: readonly string[];
  readonly credentials: Watch<Credentials | null>;
  /** Keeps what is opened, and says who may be spoken with. */
  readonly proven: ProvenConnections;
  /** What the own pod demands of its connections, in both directions. */
  readonly rules: Pick<Watch<OwnRules | null>, "get">;
  readonly metrics: ProxyMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

export class EndpointConnector implements Connector<EndpointState> {
  readonly #options: EndpointConnectorOptions;

  constructor(options: EndpointConnectorOptions) {
    this.#options = options;
  }

  connect(
    endpoint: EndpointState,
    connected: (socket: Socket, facts: ConnectionFacts) => void,
    failed: (failure: UpstreamFailure) => void,
  ): void {
    const { identity, local } = endpoint;
    if (identity === null || local) this.#plain(endpoint, connected, failed);
    else this.#secure(endpoint, identity, connected, failed);
  }

  #plain(
    endpoint: EndpointState,
    connected: (socket: Socket, facts: ConnectionFacts) => void,
    failed: (failure: UpstreamFailure) => void,
  ): void {
    const { clock, metrics, credentials } = this.#options;
    dial(
      endpoint,
      connectTimeoutMs,
      clock,
      (socket) => {
        const source = credentials.get()?.id ?? "unknown";
        metrics.connections
          .with("outbound", source, endpoint.identity ?? "plaintext", "plaintext", "", "")
          .add();
        connected(socket, plaintextFacts);
      },
      failed,
    );
  }

  #secure(
    endpoint: EndpointState,
    expected: NonNullable<EndpointState["identity"]>,
    connected: (socket: Socket, facts: ConnectionFacts) => void,
    failed: (failure: UpstreamFailure) => void,
  ): void {
    const { protocols, clock, log, metrics, proven, rules } = this.#options;
    const refusal = proven.refusalOf(expected);
    if (refusal !== null) {
      process.nextTick(failed, refusal);
      return;
    }
    const requiresPostQuantum = rules.get()?.policy.requiresPostQuantum === true;
    const credentials = this.#options.credentials.get();
    if (credentials === null || credentials.notAfter <= clock.now()) {
      process.nextTick(failed, "no_credentials");
      return;
    }
    const { address, port, name } = endpoint;
    originate(
      {
        address,
        port,
        credentials,
        expected,
        protocols,
        requiresPostQuantum,
        timeoutMs: connectTimeoutMs,
        clock,
      },
      (socket, peer) => {
        // It may have been suspended during the handshake, or its trust domain withdrawn.
        const late = proven.refusalOf(peer.id);
        if (late !== null) {
          socket.destroy();
          failed(late);
          return;
        }
        metrics.connections
          .with("outbound", credentials.id, peer.id, "mtls", peer.version, peer.group)
          .add();
        const life = connectionLife(clock.now(), credentials.notAfter, peer.notAfter);
        proven.add(socket, peer, life.cutAtMs);
        const { id: identity, version, group } = peer;
        const http2 = socket.alpnProtocol === alpnHttp2;
        connected(socket, { identity, version, group, http2, drainAtMs: life.drainAtMs });
      },
      ({ fault, detail }) => {
        if (refusals.has(fault)) {
          metrics.refusals.with("outbound", fault).add();
          log.warn("endpoint refused", { "dst.addr": name, reason: fault, detail, expected });
        }
        failed(fault);
      },
    );
  }
}
