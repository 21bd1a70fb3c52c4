// HTTP/1.1 connections to endpoints, kept and used again. Bounded in number for each endpoint, by
// idle time, and by the life of the certificates that opened them.
import type { Socket } from "node:net";
import { isIdempotent } from "#/http/http1/method.ts";
import { Http1Upstream } from "./http1-upstream.ts";
import type { UpstreamOwner } from "./http1-upstream.ts";
import type {
  ConnectionFacts,
  Connector,
  PoolContext,
  StreamSink,
  Target,
  Transport,
  UpstreamFailure,
} from "./transport.ts";

/** Connections to one endpoint. */
export class EndpointPool<T extends Target> implements UpstreamOwner {
  readonly target: T;
  readonly context: PoolContext;
  readonly #connector: Connector<T>;
  readonly #idle: Http1Upstream[] = [];
  readonly #waiting: StreamSink[] = [];
  #open = 0;
  #connecting = 0;
  #draining = false;

  constructor(target: T, connector: Connector<T>, context: PoolContext) {
    this.target = target;
    this.#connector = connector;
    this.context = context;
  }

  get empty(): boolean {
    return this.#open === 0 && this.#connecting === 0 && this.#waiting.length === 0;
  }

  open(sink: StreamSink): void {
    // The most recently used one first: the others may then fall idle and be closed.
    let connection = this.#idle.pop();
    while (connection !== undefined && !isFit(connection, sink)) {
      connection.close("drained");
      connection = this.#idle.pop();
    }
    if (connection !== undefined) {
      connection.begin(sink);
      sink.onStreamOpen(connection);
      return;
    }
    if (this.#waiting.length >= this.context.limits.waitingMax) {
      sink.onStreamFailed("overflow", false);
      return;
    }
    this.#waiting.push(sink);
    if (this.#connecting < this.#waiting.length) this.#connect();
  }

  /** The stream is not wanted any more while it waits. */
  forget(sink: StreamSink): void {
    const index = this.#waiting.indexOf(sink);
    if (index >= 0) this.#waiting.splice(index, 1);
  }

  /** Takes over a connection that was made elsewhere. */
  adopt(socket: Socket, facts: ConnectionFacts): void {
    this.#open += 1;
    this.release(new Http1Upstream(this, socket, facts));
  }

  /** A connection's stream is over and it may carry another. */
  release(connection: Http1Upstream): void {
    if (this.#draining || !connection.reusable()) {
      connection.close("drained");
      return;
    }
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#idle.push(connection);
      return;
    }
    connection.begin(next);
    next.onStreamOpen(connection);
  }

  closed(connection: Http1Upstream): void {
    this.#open -= 1;
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    if (this.#waiting.length > this.#connecting) this.#connect();
  }

  drain(): void {
    this.#draining = true;
    for (const connection of this.#idle.splice(0)) connection.close("drained");
  }

  #connect(): void {
    if (this.#open + this.#connecting >= this.context.limits.connectionsMax) return;
    this.#connecting += 1;
    this.#connector.connect(
      this.target,
      (socket, facts) => this.#connected(socket, facts),
      (failure) => this.#failed(failure),
    );
  }

  #connected(socket: Socket, facts: ConnectionFacts): void {
    this.#connecting -= 1;
    this.adopt(socket, facts);
  }

  /** One connection attempt failed: so does one stream, the one that has waited longest. */
  #failed(failure: UpstreamFailure): void {
    this.#connecting -= 1;
    this.#waiting.shift()?.onStreamFailed(failure, false);
    if (this.#waiting.length > this.#connecting) this.#connect();
  }
}

/** What cannot be repeated goes on no connection that is gone already: that costs a question to the kernel. */
function isFit(connection: Http1Upstream, { method }: StreamSink): boolean {
  return connection.reusable() && (isIdempotent(method) || !connection.closedByPeer());
}

/** All endpoints of one direction. */
export class Http1Transport<T extends Target> implements Transport<T> {
  readonly #pools = new Map<T, EndpointPool<T>>();
  readonly #connector: Connector<T>;
  readonly #context: PoolContext;

  constructor(connector: Connector<T>, context: PoolContext) {
    this.#connector = connector;
    this.#context = context;
  }

  open(target: T, sink: StreamSink): void {
    this.#poolOf(target).open(sink);
  }

  /** Takes over a connection to `target` that was made elsewhere. */
  adopt(target: T, socket: Socket, facts: ConnectionFacts): void {
    this.#poolOf(target).adopt(socket, facts);
  }

  forget(target: T, sink: StreamSink): void {
    this.#pools.get(target)?.forget(sink);
  }

  /** Drains the pools of targets that are no longer wanted, and forgets those that are empty. */
  retain(wanted: (target: T) => boolean): void {
    for (const [target, pool] of this.#pools) {
      if (wanted(target)) continue;
      pool.drain();
      this.#pools.delete(target);
    }
  }

  drain(): void {
    for (const pool of this.#pools.values()) pool.drain();
    this.#pools.clear();
  }

  #poolOf(target: T): EndpointPool<T> {
    let pool = this.#pools.get(target);
    if (pool === undefined) {
      pool = new EndpointPool(target, this.#connector, this.#context);
      this.#pools.set(target, pool);
    }
    return pool;
  }
}
