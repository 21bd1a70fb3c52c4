// The connections to one endpoint that are shared by requests: one, and a second one when all streams of the first are
// taken. Requests for which there is no room wait, bounded in number. An endpoint whose sidecar chose HTTP/1.1 (an
// older one) is spoken with through the pool of HTTP/1.1 connections.
import type { Socket } from "node:net";
import type {
  ConnectionFacts,
  Connector,
  PoolContext,
  StreamSink,
  Target,
  UpstreamFailure,
} from "../transport.ts";
import { ClientConnection } from "./client-connection.ts";
import type { ClientConnectionOwner } from "./client-connection.ts";
import { CONNECTIONS_MAX, HTTP1_MEMORY_MS } from "./limits.ts";

/** Where streams go to an endpoint that speaks HTTP/1.1. */
export interface Http1Fallback<T extends Target> {
  open(target: T, sink: StreamSink): void;
  /** Takes a connection over that was made for HTTP/2. */
  adopt(target: T, socket: Socket, facts: ConnectionFacts): void;
}

export class SharedPool<T extends Target> implements ClientConnectionOwner {
  readonly context: PoolContext;
  readonly #target: T;
  readonly #connector: Connector<T>;
  readonly #http1: Http1Fallback<T>;
  /** Those that take new streams. */
  readonly #connections: ClientConnection[] = [];
  readonly #waiting: StreamSink[] = [];
  #connecting = false;
  #draining = false;
  /** Monotonic ms until which the endpoint is taken to speak HTTP/1.1. */
  #http1UntilMs = 0;

  constructor(target: T, connector: Connector<T>, http1: Http1Fallback<T>, context: PoolContext) {
    this.#target = target;
    this.#connector = connector;
    this.#http1 = http1;
    this.context = context;
  }

  open(sink: StreamSink): void {
    const connection = this.#free();
    if (connection !== null) {
      connection.open(sink);
      return;
    }
    if (this.#http1UntilMs > this.context.deadlines.nowMs) {
      this.#http1.open(this.#target, sink);
      return;
    }
    if (this.#waiting.length >= this.context.limits.waitingMax) {
      sink.onStreamFailed("overflow", false);
      return;
    }
    this.#waiting.push(sink);
    this.#connect();
  }

  /** The stream is not wanted any more while it waits. */
  forget(sink: StreamSink): void {
    const index = this.#waiting.indexOf(sink);
    if (index >= 0) this.#waiting.splice(index, 1);
  }

  drain(): void {
    this.#draining = true;
    for (const connection of this.#connections.slice()) connection.drain();
  }

  onRoom(): void {
    if (this.#waiting.length > 0) this.#serve();
  }

  onLeft(connection: ClientConnection): void {
    const index = this.#connections.indexOf(connection);
    if (index >= 0) this.#connections.splice(index, 1);
    if (this.#waiting.length > 0) this.#connect();
  }

  #free(): ClientConnection | null {
    const connections = this.#connections;
    for (let index = 0; index < connections.length; index += 1) {
      const connection = connections[index]!;
      if (connection.takes()) return connection;
      // It left: the next one stands in its place now.
      if (connections[index] !== connection) index -= 1;
    }
    return null;
  }

  #connect(): void {
    if (this.#connecting || this.#connections.length >= CONNECTIONS_MAX) return;
    this.#connecting = true;
    this.#connector.connect(
      this.#target,
      (socket, facts) => this.#connected(socket, facts),
      (failure) => this.#failed(failure),
    );
  }

  #connected(socket: Socket, facts: ConnectionFacts): void {
    this.#connecting = false;
    if (!facts.http2) {
      this.#http1UntilMs = this.context.deadlines.nowMs + HTTP1_MEMORY_MS;
      this.#http1.adopt(this.#target, socket, facts);
      for (const sink of this.#waiting.splice(0)) this.#http1.open(this.#target, sink);
      return;
    }
    const connection = new ClientConnection(this, socket, facts);
    this.#connections.push(connection);
    this.#serve();
    if (this.#draining) connection.drain();
  }

  /** Whoever waited for the connection hears of it: they would all have met the same. */
  #failed(failure: UpstreamFailure): void {
    this.#connecting = false;
    for (const sink of this.#waiting.splice(0)) sink.onStreamFailed(failure, false);
  }

  #serve(): void {
    while (this.#waiting.length > 0) {
      const connection = this.#free();
      if (connection === null) {
        this.#connect();
        return;
      }
      connection.open(this.#waiting.shift()!);
    }
  }
}
