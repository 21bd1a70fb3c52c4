// Streams to endpoints of the mesh, many on one connection. What HTTP/2 cannot carry yet (upgrades to WebSocket) and
// endpoints that are not in the mesh go over HTTP/1.1.
import type { Http1Transport } from "../pool.ts";
import type { Connector, PoolContext, StreamSink, Target, Transport } from "../transport.ts";
import { SharedPool } from "./pool.ts";

export class Http2Transport<T extends Target> implements Transport<T> {
  readonly #pools = new Map<T, SharedPool<T>>();
  readonly #connector: Connector<T>;
  readonly #http1: Http1Transport<T>;
  readonly #isMesh: (target: T) => boolean;
  readonly #context: PoolContext;

  /** `connector` offers both protocols. `isMesh`: a sidecar stands there. */
  constructor(
    connector: Connector<T>,
    http1: Http1Transport<T>,
    isMesh: (target: T) => boolean,
    context: PoolContext,
  ) {
    this.#connector = connector;
    this.#http1 = http1;
    this.#isMesh = isMesh;
    this.#context = context;
  }

  open(target: T, sink: StreamSink): void {
    if (!this.#isMesh(target) || sink.http1Only) {
      this.#http1.open(target, sink);
      return;
    }
    let pool = this.#pools.get(target);
    if (pool === undefined) {
      pool = new SharedPool(target, this.#connector, this.#http1, this.#context);
      this.#pools.set(target, pool);
    }
    pool.open(sink);
  }

  forget(target: T, sink: StreamSink): void {
    this.#pools.get(target)?.forget(sink);
    this.#http1.forget(target, sink);
  }

  retain(wanted: (target: T) => boolean): void {
    this.#http1.retain(wanted);
    for (const [target, pool] of this.#pools) {
      if (wanted(target)) continue;
      pool.drain();
      this.#pools.delete(target);
    }
  }

  drain(): void {
    this.#http1.drain();
    for (const pool of this.#pools.values()) pool.drain();
    this.#pools.clear();
  }
}
