// One inbound connection after its verdict: HTTP or opaque TCP to the application, bound to the life of
// the certificates that opened it, and to its lease.
import type { Socket } from "node:net";
import { formatHostPort, normalizeIp } from "#/lib/ip.ts";
import { Cut } from "../net/cut.ts";
import type { Deadlines } from "../net/deadline.ts";
import { defaultExchangeLimits } from "../stream/dispatcher.ts";
import type { ExchangeContext } from "../stream/dispatcher.ts";
import { Exchange } from "../stream/exchange.ts";
import { ServerConnection } from "../stream/http2/server-connection.ts";
import type { Target } from "../stream/transport.ts";
import type { ConnectionLife } from "../tls/lifetime.ts";
import type { ConnectionClaim, DenyReason } from "./authorize.ts";
import { InboundDispatcher } from "./dispatcher.ts";
import type { InboundContext } from "./dispatcher.ts";
import type { Lease } from "./leases.ts";
import { InboundTcp, tcpIdleTimeoutMs } from "./tcp.ts";

export type InboundProtocol = "http2" | "http" | "tcp" | "unclear";

export interface InboundConnectionOptions {
  readonly context: InboundContext;
  readonly deadlines: Deadlines;
  readonly socket: Socket;
  readonly claim: ConnectionClaim;
  readonly target: Target;
  /** "http2": from a sidecar. "unclear": TCP as far as one knows, on a port that the pod did not declare opaque. */
  readonly protocol: InboundProtocol;
  /** Own identity, as the caller knows this pod. */
  readonly destination: string;
  /** null: plaintext, no certificates. */
  readonly life: ConnectionLife | null;
  readonly onClosed: (connection: InboundConnection) => void;
}

export class InboundConnection implements Lease {
  readonly claim: ConnectionClaim;
  readonly #options: InboundConnectionOptions;
  readonly #startedMs: number;
  readonly #sourceAddress: string;
  #http: Exchange | ServerConnection | null = null;
  #tcp: InboundTcp | null = null;
  readonly #cutAt: Cut | null = null;
  #draining = false;
  #reason = "";
  #closed = false;

  constructor(options: InboundConnectionOptions) {
    const { context, deadlines, life, socket } = options;
    this.claim = options.claim;
    this.#options = options;
    this.#startedMs = context.clock.monotonic();
    this.#sourceAddress = normalizeIp(socket.remoteAddress ?? "");
    if (life !== null) {
      this.#cutAt = new Cut(life.cutAtMs, context.clock, deadlines, () => {
        context.metrics.expiredConnections.with("inbound", "cut").add();
        this.#end("certificate_ended");
      });
    }
    if (options.protocol === "http2") this.#http = this.#startHttp2();
    else if (options.protocol === "http") this.#http = this.#startHttp();
    else this.#tcp = this.#startTcp();
  }

  revoke(reason: DenyReason): void {
    this.#options.context.metrics.refusals.with("inbound", reason).add();
    this.#end(reason);
  }

  drain(): void {
    this.#draining = true;
    this.#http?.drain();
  }

  cut(): void {
    this.#end("cut");
  }

  #startHttp2(): ServerConnection {
    const options = {
      onRefused: (fault: string) =>
        this.#options.context.metrics.refusals.with("inbound", fault).add(),
      onClosed: () => this.#close(),
    };
    return new ServerConnection(
      this.#options.socket,
      this.#dispatcher(),
      this.#exchanges(),
      options,
    );
  }

  #startHttp(): Exchange {
    return new Exchange(this.#options.socket, this.#dispatcher(), this.#exchanges());
  }

  #dispatcher(): InboundDispatcher {
    const { context, target, claim, destination } = this.#options;
    return new InboundDispatcher(context, target, claim, destination, () => this.#close());
  }

  #exchanges(): ExchangeContext {
    const { context, deadlines } = this.#options;
    return {
      clock: context.clock,
      deadlines,
      limits: defaultExchangeLimits,
      tunnelIdleTimeoutMs: tcpIdleTimeoutMs,
      shouldClose: () => this.#draining || this.#certificateEnding(),
    };
  }

  #certificateEnding(): boolean {
    const { life, context } = this.#options;
    return life !== null && context.clock.now() >= life.drainAtMs;
  }

  #startTcp(): InboundTcp {
    const { context, deadlines, protocol, socket, target } = this.#options;
    return new InboundTcp(socket, {
      clock: context.clock,
      deadlines,
      target,
      declared: protocol === "tcp",
      onHttp: () => {
        this.#tcp = null;
        this.#http = this.#startHttp();
      },
      onEnd: (bytesReceived, bytesSent, reason) => this.#logTcp(bytesReceived, bytesSent, reason),
    });
  }

  #end(reason: string): void {
    this.#reason = reason;
    this.#http?.cut(reason);
    this.#tcp?.cut(reason);
  }

  #logTcp(bytesReceived: number, bytesSent: number, reason: string): void {
    if (this.#closed) return;
    const { claim, context, destination, target } = this.#options;
    const source = claim.identity ?? "plaintext";
    const count = context.metrics.connectionBytes;
    count.with("inbound", source, destination, "request").add(bytesReceived);
    count.with("inbound", source, destination, "response").add(bytesSent);
    context.accessLog.connection({
      direction: "inbound",
      protocol: "tcp",
      durationMs: context.clock.monotonic() - this.#startedMs,
      sourceAddress: this.#sourceAddress,
      source,
      destination,
      upstream: formatHostPort(target.address, target.port),
      group: claim.group,
      bytesReceived,
      bytesSent,
      verdict: "allowed",
      reason: this.#reason === "" ? reason : this.#reason,
    });
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cutAt?.cancel();
    this.#options.onClosed(this);
  }
}
