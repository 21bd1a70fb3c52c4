// Both halves of a request's way in one process, over loopback and real mutual TLS: callers, the
// outbound side, any number of inbound sides with an application behind each. Only iptables is left out:
// where a connection goes is an argument here.
import { createServer, connect } from "node:net";
import type { Server, Socket } from "node:net";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import { InboundConnection } from "#/proxy/inbound/connection.ts";
import { Deadlines } from "#/proxy/net/deadline.ts";
import { dial } from "#/proxy/net/dial.ts";
import { AccessLog } from "#/proxy/observe/access-log.ts";
import { ProxyMetrics } from "#/proxy/observe/metrics.ts";
import { Chance } from "#/proxy/outbound/balance.ts";
import { RetryBudget } from "#/proxy/outbound/budget.ts";
import { EndpointConnector } from "#/proxy/outbound/connector.ts";
import type { OwnRules } from "#/proxy/outbound/connector.ts";
import { OutboundDispatcher } from "#/proxy/outbound/dispatcher.ts";
import type { Upstreams } from "#/proxy/outbound/dispatcher.ts";
import type { EndpointState } from "#/proxy/outbound/endpoint.ts";
import { ProvenConnections } from "#/proxy/outbound/proven.ts";
import { OutboundTcp } from "#/proxy/outbound/tcp.ts";
import { defaultExchangeLimits } from "#/proxy/stream/dispatcher.ts";
import { openGate } from "#/proxy/overload/gate.ts";
import type { Gate } from "#/proxy/overload/gate.ts";
import { Exchange } from "#/proxy/stream/exchange.ts";
import { Http1Transport } from "#/proxy/stream/pool.ts";
import { defaultPoolLimits, plaintextFacts } from "#/proxy/stream/transport.ts";
import type { Target } from "#/proxy/stream/transport.ts";
import { TlsAcceptor } from "#/proxy/tls/accept.ts";
import { hybridGroupCode } from "#/proxy/tls/key-exchange.ts";
import { alpnHttp1, alpnTcp, makeCredentials } from "#/proxy/tls/credentials.ts";
import type { Credentials } from "#/proxy/tls/credentials.ts";
import { connectionLife } from "#/proxy/tls/lifetime.ts";
import { originate } from "#/proxy/tls/originate.ts";
import { createAuthority } from "./authority.ts";
import type { Authority, LeafOptions } from "./authority.ts";

const trustDomain: TrustDomain = parseTrustDomain("cluster.local");
export const idOf = (name: string): SpiffeId =>
  parseSpiffeId(`spiffe://cluster.local/ns/${name}/sa/${name}`);

export interface InboundHalf {
  /** Where its application listens. */
  readonly appPort: number;
  readonly id: SpiffeId;
  readonly port: number;
  readonly metrics: ProxyMetrics;
  /** Identities that callers proved, one for each connection. */
  readonly callers: string[];
  /** Gives it another certificate, for connections that come from now on. */
  rotate(leaf: LeafOptions): Promise<void>;
}

export class MeshPair implements AsyncDisposable {
  readonly metrics: ProxyMetrics = new ProxyMetrics();
  /** Those of the outbound side. */
  readonly proven: ProvenConnections;
  readonly #authority: Authority;
  readonly #deadlines = new Deadlines(systemClock);
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #credentials: Watch<Credentials | null>;
  readonly #transport: Http1Transport<EndpointState>;
  readonly #common: {
    clock: typeof systemClock;
    metrics: ProxyMetrics;
    credentials: Watch<Credentials | null>;
    proven: ProvenConnections;
    rules: Watch<OwnRules | null>;
    log: typeof silentLog;
  };

  /** The caller's connections. */
  readonly outbound: (OutboundTcp | Exchange)[] = [];
  /** Of the caller's pod. */
  /** What the outbound side's own pod was told. */
  readonly rules: Watch<OwnRules | null> = new Watch<OwnRules | null>(null);

  private constructor(authority: Authority, credentials: Credentials) {
    this.#authority = authority;
    this.#credentials = new Watch<Credentials | null>(credentials);
    const { metrics } = this;
    const deadlines = this.#deadlines;
    this.proven = new ProvenConnections({ own: idOf("a"), clock: systemClock, deadlines, metrics });
    this.#common = {
      clock: systemClock,
      metrics: this.metrics,
      credentials: this.#credentials,
      proven: this.proven,
      rules: this.rules,
      log: silentLog,
    };
    this.#transport = new Http1Transport(
      new EndpointConnector({ ...this.#common, alpn: alpnHttp1 }),
      this.#poolContext(this.metrics, "outbound"),
    );
  }

  /** Callers are of the pod "a". */
  static async create(caller: LeafOptions = {}): Promise<MeshPair> {
    const authority = await createAuthority();
    const svid = await authority.issue(idOf("a"), caller);
    return new MeshPair(authority, makeCredentials(svid, bundleOf(authority)));
  }

  /** An inbound side of the pod `name`, and the application that it leads to, or the port of one. */
  async addInbound(
    name: string,
    app: ((socket: Socket) => void) | number,
    leaf: LeafOptions = {},
    gate: Gate = openGate(),
  ): Promise<InboundHalf> {
    const served = typeof app === "number" ? app : await this.#listen(app);
    const target: Target = { address: "127.0.0.1", port: served };
    const svid = await this.#authority.issue(idOf(name), leaf);
    const own = this.#watch(svid);
    const acceptor = new TlsAcceptor(own, systemClock);
    const metrics = new ProxyMetrics();
    const callers: string[] = [];
    const connector = {
      connect: (
        to: Target,
        connected: (socket: Socket, facts: typeof plaintextFacts) => void,
        failed: (fault: "connect_failed") => void,
      ): void =>
        dial(
          to,
          1000,
          systemClock,
          (socket) => connected(socket, plaintextFacts),
          () => failed("connect_failed"),
        ),
    };
    const transport = new Http1Transport<Target>(connector, this.#poolContext(metrics, "inbound"));
    const accessLog = new AccessLog(null, systemClock);
    const context = { clock: systemClock, metrics, accessLog, transport, gate };
    const accept = (socket: Socket): void =>
      acceptor.accept(
        socket,
        [hybridGroupCode],
        ({ socket: secured, alpn, peer, credentials }) => {
          callers.push(peer.id);
          void new InboundConnection({
            context,
            deadlines: this.#deadlines,
            socket: secured,
            claim: { port: target.port, identity: peer.id, group: peer.group },
            target,
            protocol: alpn === alpnHttp1 ? "http" : "unclear",
            destination: credentials.id,
            life: connectionLife(systemClock.now(), credentials.notAfter, peer.notAfter),
            onClosed: () => {},
          });
        },
        (reason) => callers.push(reason),
      );
    const { port: appPort } = target;
    const rotate = (next: LeafOptions): Promise<void> => this.#rotate(own, name, next);
    return { id: svid.id, appPort, port: await this.#listen(accept), metrics, callers, rotate };
  }

  /** Gives the outbound side another certificate, for connections that come from now on. */
  rotate(leaf: LeafOptions): Promise<void> {
    return this.#rotate(this.#credentials, "a", leaf);
  }

  async #rotate(own: Watch<Credentials | null>, name: string, leaf: LeafOptions): Promise<void> {
    const svid = await this.#authority.issue(idOf(name), leaf);
    own.set(makeCredentials(svid, bundleOf(this.#authority)));
  }

  /** Its application takes no connection any more. */
  closeApp({ appPort }: InboundHalf): void {
    for (const server of this.#servers) {
      const address = server.address();
      if (typeof address === "object" && address?.port === appPort) server.close();
    }
  }

  /**
   * A peer of the mesh that proves itself, does `serve`, and never ends a connection by itself. `groups`
   * are those of which it takes the best.
   */
  async addPeer(
    name: string,
    serve: (socket: Socket) => void,
    leaf: LeafOptions = {},
    groups: readonly number[] = [hybridGroupCode],
  ): Promise<{ readonly id: SpiffeId; readonly port: number }> {
    const svid = await this.#authority.issue(idOf(name), leaf);
    const acceptor = new TlsAcceptor(this.#watch(svid), systemClock);
    const accept = (socket: Socket): void =>
      acceptor.accept(
        socket,
        groups,
        (accepted) => serve(accepted.socket),
        () => {},
      );
    return { id: svid.id, port: await this.#listen(accept) };
  }

  /** A connection of a member with a certificate of its own, that nobody on this end will end. */
  async connectAsMember(
    half: InboundHalf,
    alpn: typeof alpnHttp1 | typeof alpnTcp,
    leaf: LeafOptions = {},
  ): Promise<Socket> {
    const svid = await this.#authority.issue(idOf("a"), leaf);
    const credentials = makeCredentials(svid, bundleOf(this.#authority));
    const where = { address: "127.0.0.1", port: half.port, expected: half.id, alpn };
    return new Promise((resolve, reject) => {
      originate(
        { ...where, credentials, requiresPostQuantum: false, timeoutMs: 3000, clock: systemClock },
        (socket) => {
          this.#keep(socket);
          resolve(socket);
        },
        ({ fault, detail }) => reject(new Error(`${fault} ${detail}`)),
      );
    });
  }

  /** The port where callers find the outbound side; `kind` is what their connections are taken for. */
  addOutbound(
    upstreams: Upstreams,
    kind: "http" | "tcp",
    gate: Gate = openGate(),
  ): Promise<number> {
    const context = {
      ...this.#common,
      accessLog: new AccessLog(null, systemClock),
      transport: this.#transport,
      chance: new Chance(1),
      budgetOf: () => new RetryBudget(systemClock.monotonic()),
      ownIdentity: () => this.#credentials.get()?.id ?? null,
      random: () => 0.5,
      cells: new Map(),
      onClosed: () => {},
      deadlines: this.#deadlines,
      connector: new EndpointConnector({ ...this.#common, alpn: alpnTcp }),
      onTcpClosed: () => {},
      gate,
    };
    return this.#listen((socket) => {
      if (kind === "tcp") {
        this.outbound.push(new OutboundTcp(context, socket, upstreams));
        return;
      }
      const dispatcher = new OutboundDispatcher(context, upstreams);
      const exchange = new Exchange(socket, dispatcher, {
        clock: systemClock,
        deadlines: this.#deadlines,
        limits: defaultExchangeLimits,
        tunnelIdleTimeoutMs: 10_000,
        shouldClose: () => false,
      });
      this.outbound.push(exchange);
    });
  }

  /** A connection to one of the ports; closed with the pair. */
  connect(port: number): Socket {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    this.#keep(socket);
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#deadlines.stop();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(
      this.#servers.map((server) => new Promise((resolve) => server.close(resolve))),
    );
  }

  #poolContext(metrics: ProxyMetrics, direction: string) {
    return {
      clock: systemClock,
      deadlines: this.#deadlines,
      limits: defaultPoolLimits,
      onCertificateEnd: (how: string): void =>
        metrics.expiredConnections.with(direction, how).add(),
    };
  }

  #watch(svid: Svid): Watch<Credentials | null> {
    return new Watch<Credentials | null>(makeCredentials(svid, bundleOf(this.#authority)));
  }

  #listen(accept: (socket: Socket) => void): Promise<number> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#keep(socket);
      accept(socket);
    });
    this.#servers.push(server);
    return new Promise((resolve) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

const bundleOf = (authority: Authority) => ({ trustDomain, roots: [authority.root] });

/** As the controller names it; on loopback, where the tests' inbound sides are. */
export function endpointOf(identity: SpiffeId, port: number): EndpointState {
  return {
    address: "127.0.0.1",
    port,
    identity,
    pod: "",
    local: false,
    name: `127.0.0.1:${port}`,
    activeRequests: 0,
    consecutiveFailures: 0,
    ejections: 0,
    ejectedUntilMs: 0,
  };
}

/** Sends one request on a connection that is kept, and returns its response (with content-length). */
export function ask(socket: Socket, request: string): Promise<string> {
  return new Promise((resolve) => {
    let received = "";
    const done = (): void => {
      socket.off("data", onData);
      socket.off("close", done);
      resolve(received);
    };
    const onData = (bytes: Buffer): void => {
      received += bytes.toString("latin1");
      const end = received.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
      if (received.length >= end + 4 + length) done();
    };
    socket.on("data", onData);
    socket.once("close", done);
    socket.write(request, "latin1");
  });
}

/** An application that answers each request with `text(request)`. */
export function answering(text: (request: string) => string) {
  return (socket: Socket): void => {
    socket.on("data", (bytes) => {
      const body = text(bytes.toString("latin1"));
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`, "latin1");
    });
    socket.on("end", () => socket.end());
  };
}
