// Opaque TCP outwards: picks an endpoint (another when it cannot be reached, nothing having been sent),
// connects with mutual TLS where the endpoint is in the mesh, then copies bytes both ways.
import type { Socket } from "node:net";
import { normalizeIp } from "#/lib/ip.ts";
import type { Deadlines } from "../net/deadline.ts";
import { reset } from "../net/reset.ts";
import { severedFor } from "../net/sever.ts";
import { Splice } from "../net/splice.ts";
import type { SpliceEnd } from "../net/splice.ts";
import type { ConnectionFacts, Connector, UpstreamFailure } from "../stream/transport.ts";
import { pickEndpoint } from "./balance.ts";
import type { OutboundContext, Upstreams } from "./dispatcher.ts";
import type { ClusterState, EndpointState } from "./endpoint.ts";
import { isEndpointFault, noteOutcome } from "./outlier.ts";

/** A connection without a byte in either direction for so long is closed. */
export const tcpIdleTimeoutMs = 3_600_000;
const triesMax = 3;

export interface TcpContext extends OutboundContext {
  readonly deadlines: Deadlines;
  readonly connector: Connector<EndpointState>;
  readonly onTcpClosed: (connection: OutboundTcp) => void;
}

export class OutboundTcp {
  readonly #context: TcpContext;
  readonly #downstream: Socket;
  readonly #service: string;
  readonly #cluster: ClusterState | null;
  readonly #fixed: EndpointState | null;
  readonly #startedMs: number;
  readonly #sourceAddress: string;
  #endpoint: EndpointState | null = null;
  #splice: Splice | null = null;
  #tries = 0;
  /** In which the connection to the endpoint agreed on keys; empty before there is one. */
  #group = "";
  #over = false;

  constructor(context: TcpContext, downstream: Socket, upstreams: Upstreams) {
    this.#context = context;
    this.#downstream = downstream;
    this.#startedMs = context.clock.monotonic();
    this.#sourceAddress = normalizeIp(downstream.remoteAddress ?? "");
    this.#service = upstreams.kind === "service" ? upstreams.port.service : "";
    this.#fixed = upstreams.kind === "endpoint" ? upstreams.endpoint : null;
    this.#cluster =
      upstreams.kind === "endpoint"
        ? upstreams.cluster
        : (upstreams.port.routes.at(-1)?.canary.pick() ?? null);
    downstream.pause();
    downstream.once("close", () => {
      if (this.#splice === null) this.#finish(null, "downstream_closed");
    });
    this.#try();
  }

  get group(): string {
    return this.#group;
  }

  /** Ends it at once. */
  cut(): void {
    if (this.#splice === null) {
      reset(this.#downstream);
      this.#finish(null, "cut");
    } else this.#splice.cut();
  }

  #try(): void {
    const { clock, chance, connector } = this.#context;
    const endpoints = this.#cluster?.endpoints ?? [];
    const endpoint =
      this.#fixed ?? pickEndpoint(endpoints, this.#endpoint, clock.monotonic(), chance);
    if (endpoint === null) {
      this.#refuse("no_endpoint");
      return;
    }
    this.#endpoint = endpoint;
    this.#tries += 1;
    connector.connect(
      endpoint,
      (socket, facts) => this.#connected(socket, facts),
      (failure) => this.#failed(endpoint, failure),
    );
  }

  #failed(endpoint: EndpointState, failure: UpstreamFailure): void {
    if (isEndpointFault(failure)) {
      noteOutcome(endpoint, this.#cluster?.endpoints ?? [], true, this.#context.clock.monotonic());
    }
    if (this.#over) return;
    if (this.#tries < triesMax && failure !== "no_credentials") this.#try();
    else this.#refuse(failure);
  }

  #refuse(reason: string): void {
    this.#context.metrics.refusals.with("outbound", reason).add();
    reset(this.#downstream);
    this.#finish(null, reason);
  }

  #connected(socket: Socket, facts: ConnectionFacts): void {
    if (this.#over) {
      socket.destroy();
      return;
    }
    const { clock, deadlines } = this.#context;
    const endpoint = this.#endpoint!;
    this.#group = facts.group;
    endpoint.activeRequests += 1;
    noteOutcome(endpoint, this.#cluster?.endpoints ?? [], false, clock.monotonic());
    this.#splice = new Splice(this.#downstream, socket, {
      deadlines,
      idleTimeoutMs: tcpIdleTimeoutMs,
      screen: null,
      onEnd: (end) => {
        endpoint.activeRequests -= 1;
        const reason = severedFor(socket) ?? end.reason;
        this.#finish(end, reason === "closed" ? "" : reason);
      },
    });
  }

  #finish(end: SpliceEnd | null, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    const { accessLog, clock, metrics, ownIdentity, onTcpClosed } = this.#context;
    const source = ownIdentity() ?? "";
    const destination = this.#endpoint?.identity ?? "plaintext";
    const bytesReceived = end?.bytesFromDownstream ?? 0;
    const bytesSent = end?.bytesToDownstream ?? 0;
    const count = metrics.connectionBytes;
    count.with("outbound", source, destination, "request").add(bytesReceived);
    count.with("outbound", source, destination, "response").add(bytesSent);
    accessLog.connection({
      direction: "outbound",
      protocol: "tcp",
      durationMs: clock.monotonic() - this.#startedMs,
      sourceAddress: this.#sourceAddress,
      source,
      destination,
      upstream: this.#endpoint?.name ?? this.#service,
      group: this.#group,
      bytesReceived,
      bytesSent,
      verdict: end === null ? "refused" : "allowed",
      reason,
    });
    onTcpClosed(this);
  }
}
