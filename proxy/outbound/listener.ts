// Accepts what the pod sends out (redirected to 5000): original destination -> what it means in the
// mesh -> HTTP or opaque TCP. Reads as a table of contents of the outbound side.
import type { Socket } from "node:net";
import { messageOf } from "#/lib/errors.ts";
import { formatHostPort, normalizeIp } from "#/lib/ip.ts";
import type { Log } from "#/lib/log.ts";
import { detectHttp } from "../detect/http.ts";
import { peekFirstBytes } from "../net/first-bytes.ts";
import { originalDestination } from "../net/original-destination.ts";
import type { Destination } from "../net/original-destination.ts";
import { reset } from "../net/reset.ts";
import { overloaded } from "../overload/gate.ts";
import { defaultExchangeLimits } from "../stream/dispatcher.ts";
import type { ExchangeContext, LiveRequest } from "../stream/dispatcher.ts";
import { Exchange } from "../stream/exchange.ts";
import { OutboundDispatcher } from "./dispatcher.ts";
import type { Upstreams } from "./dispatcher.ts";
import type { RouteTable } from "./table.ts";
import { OutboundTcp, tcpIdleTimeoutMs } from "./tcp.ts";
import type { TcpContext } from "./tcp.ts";

/** A client that says nothing for so long is taken for one whose server speaks first. */
export const detectDeadlineMs = 150;
const detectBytesMax = 16 * 1024;

export interface OutboundOptions extends Omit<TcpContext, "onClosed" | "onTcpClosed"> {
  readonly table: RouteTable;
  readonly opaquePorts: ReadonlySet<number>;
  readonly log: Log;
}

export class OutboundSide {
  readonly #options: OutboundOptions;
  readonly #context: TcpContext;
  readonly #exchangeContext: ExchangeContext;
  readonly #exchanges = new Set<LiveRequest>();
  readonly #tcp = new Set<OutboundTcp>();
  #draining = false;

  constructor(options: OutboundOptions) {
    this.#options = options;
    this.#context = {
      ...options,
      onClosed: (exchange) => {
        this.#exchanges.delete(exchange);
        this.#gauge();
      },
      onTcpClosed: (connection) => {
        this.#tcp.delete(connection);
        this.#gauge();
      },
    };
    this.#exchangeContext = {
      clock: options.clock,
      deadlines: options.deadlines,
      limits: defaultExchangeLimits,
      tunnelIdleTimeoutMs: tcpIdleTimeoutMs,
      shouldClose: () => this.#draining,
    };
  }

  get liveConnections(): number {
    return this.#exchanges.size + this.#tcp.size;
  }

  /** Never throws: a fault ends this connection only. */
  accept(socket: Socket): void {
    try {
      this.#accept(socket);
    } catch (error) {
      this.#options.log.error("outbound connection failed", { reason: messageOf(error) });
      socket.destroy();
    }
  }

  /** Lets HTTP connections end after their request; TCP goes on until it is cut. */
  drain(): void {
    this.#draining = true;
    for (const exchange of this.#exchanges) exchange.drain();
  }

  cutAll(): void {
    for (const exchange of this.#exchanges) exchange.cut();
    for (const connection of this.#tcp) connection.cut();
  }

  #accept(socket: Socket): void {
    const destination = originalDestination(socket);
    if (destination === null) return this.#refuse(socket, "not_redirected");
    const resolved = this.#options.table.resolve(destination);
    switch (resolved.kind) {
      case "refused":
        return this.#refuse(socket, resolved.reason);
      case "self":
        return this.#passThrough(socket, destination, true);
      case "passthrough":
        return this.#passThrough(socket, destination, false);
      case "service":
        return this.#carry(socket, resolved, resolved.port.protocol, destination.port);
      case "endpoint":
        return this.#carry(socket, resolved, resolved.protocol, destination.port);
      default:
        resolved satisfies never;
    }
  }

  #refuse(socket: Socket, reason: string): void {
    this.#options.metrics.refusals.with("outbound", reason).add();
    this.#options.log.warn("outbound connection refused", {
      "src.addr": normalizeIp(socket.remoteAddress ?? ""),
      reason,
    });
    reset(socket);
  }

  /** To an address that is not a service's: untouched, in plaintext or whatever the application speaks. */
  #passThrough(socket: Socket, destination: Destination, local: boolean): void {
    const { address, port } = destination;
    const endpoint = {
      address,
      port,
      identity: null,
      pod: "",
      local,
      name: formatHostPort(address, port),
      activeRequests: 0,
      consecutiveFailures: 0,
      ejections: 0,
      ejectedUntilMs: 0,
    };
    const cluster = { name: "", endpoints: [endpoint] };
    this.#tcpConnection(socket, { kind: "endpoint", cluster, endpoint });
  }

  #carry(socket: Socket, upstreams: Upstreams, protocol: string, port: number): void {
    if (protocol === "tcp" || this.#options.opaquePorts.has(port)) {
      this.#tcpConnection(socket, upstreams);
    } else if (protocol === "http") this.#http(socket, upstreams);
    else this.#detect(socket, upstreams);
  }

  #detect(socket: Socket, upstreams: Upstreams): void {
    peekFirstBytes({
      socket,
      clock: this.#options.clock,
      deadlineMs: detectDeadlineMs,
      bytesMax: detectBytesMax,
      classify: detectHttp,
      onVerdict: (verdict) => {
        if (verdict === "http1") this.#http(socket, upstreams);
        else this.#tcpConnection(socket, upstreams);
      },
      onSilence: () => this.#tcpConnection(socket, upstreams),
      onClosed: () => {},
    });
  }

  #http(socket: Socket, upstreams: Upstreams): void {
    const dispatcher = new OutboundDispatcher(this.#context, upstreams);
    this.#exchanges.add(new Exchange(socket, dispatcher, this.#exchangeContext));
    this.#gauge();
  }

  #tcpConnection(socket: Socket, upstreams: Upstreams): void {
    if (!this.#options.gate.admits()) {
      this.#options.metrics.refusals.with("outbound", overloaded).add();
      reset(socket);
      return;
    }
    this.#tcp.add(new OutboundTcp(this.#context, socket, upstreams));
    this.#gauge();
  }

  #gauge(): void {
    this.#options.metrics.connectionsOpen.with("outbound").set(this.liveConnections);
  }
}
