// One connection to another sidecar, shared by many requests until its certificates end, the other end goes away, or
// nobody uses it any more.
import type { Socket } from "node:net";
import type { Http2Connection } from "#/http/http2/connection.ts";
import { ERROR } from "#/http/http2/error-code.ts";
import type { Http2Stream } from "#/http/http2/stream.ts";
import type { ConnectionFacts, PoolContext, StreamSink } from "../transport.ts";
import { ClientStream } from "./client-stream.ts";
import type { ClientStreamOwner } from "./client-stream.ts";
import { Http2Response, Http2Trailers } from "./messages.ts";
import { Http2Shell } from "./shell.ts";
import type { ShellOwner } from "./shell.ts";

/** Who keeps it. */
export interface ClientConnectionOwner {
  readonly context: PoolContext;
  /** It may take streams that it could not take before. */
  onRoom(): void;
  /** It takes no new streams from here on. Once. */
  onLeft(connection: ClientConnection): void;
}

export class ClientConnection implements ShellOwner, ClientStreamOwner {
  readonly facts: ConnectionFacts;
  readonly response: Http2Response = new Http2Response();
  readonly trailers: Http2Trailers = new Http2Trailers();
  readonly #owner: ClientConnectionOwner;
  readonly #shell: Http2Shell;
  /** Streams that heard something in this turn of the loop: TLS gives what came in pieces of a record each. */
  readonly #told: ClientStream[] = [];
  readonly #onImmediate = (): void => this.#tell();
  #leaving = false;
  /** Monotonic ms since which it carries nothing; 0: it does. */
  #idleSinceMs: number;

  constructor(owner: ClientConnectionOwner, socket: Socket, facts: ConnectionFacts) {
    this.#owner = owner;
    this.facts = facts;
    this.#idleSinceMs = owner.context.deadlines.nowMs;
    this.#shell = new Http2Shell(socket, "client", this, owner.context);
  }

  get connection(): Http2Connection {
    return this.#shell.connection;
  }

  get socket(): Socket {
    return this.#shell.socket;
  }

  /** May another stream begin? Not where certificates are ending. */
  takes(): boolean {
    if (this.#leaving || !this.#shell.connection.canOpen) return false;
    if (!this.#certificateEnding()) return true;
    this.drain();
    return false;
  }

  /** Only after takes() said yes, in the same turn. */
  open(sink: StreamSink): void {
    this.#idleSinceMs = 0;
    sink.onStreamOpen(new ClientStream(this, sink));
  }

  /** Takes no more streams, and ends with the last one. */
  drain(): void {
    if (this.#leaving) return;
    if (this.#certificateEnding()) {
      const how = this.connection.streams === 0 ? "idle" : "drained";
      this.#owner.context.onCertificateEnd(how);
    }
    this.#leave();
    this.connection.drain();
  }

  tellLater(stream: ClientStream): void {
    if (this.#told.push(stream) === 1) setImmediate(this.#onImmediate);
  }

  onRequest(stream: Http2Stream): void {
    stream.reset(ERROR.refusedStream);
  }

  onReceived(): void {
    this.#owner.onRoom();
  }

  onGoaway(): void {
    this.drain();
  }

  onSweep(nowMs: number): void {
    if (this.#leaving) return;
    const isIdle = this.connection.streams === 0;
    if (!isIdle) this.#idleSinceMs = 0;
    else if (this.#idleSinceMs === 0) this.#idleSinceMs = nowMs;
    const { limits } = this.#owner.context;
    const idleMs = isIdle ? nowMs - this.#idleSinceMs : 0;
    if (idleMs >= limits.idleTimeoutMs || this.#certificateEnding()) this.drain();
  }

  /** The stream says so itself. */
  onFault(): void {}

  onClosed(): void {
    this.#leave();
  }

  #tell(): void {
    const told = this.#told;
    for (let index = 0; index < told.length; index += 1) told[index]!.onReceived();
    told.length = 0;
  }

  #leave(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#owner.onLeft(this);
  }

  #certificateEnding(): boolean {
    const { drainAtMs } = this.facts;
    return drainAtMs !== 0 && this.#owner.context.clock.now() >= drainAtMs;
  }
}
