// A connection from another sidecar: every stream on it is a request of its own.
import type { Socket } from "node:net";
import type { ConnectionFault, StreamFault } from "#/http/http2/fault.ts";
import type { RequestFields } from "#/http/http2/request-fields.ts";
import type { Http2Stream } from "#/http/http2/stream.ts";
import type { Dispatcher, ExchangeContext } from "../dispatcher.ts";
import { Http2Trailers } from "./messages.ts";
import { ServerStream } from "./server-stream.ts";
import type { ServerStreamOwner } from "./server-stream.ts";
import { Http2Shell } from "./shell.ts";
import type { ShellOwner } from "./shell.ts";

export interface ServerConnectionOptions {
  /** What the caller did on a stream, or that ended the connection: no request may have come of it. */
  readonly onRefused: (fault: ConnectionFault | StreamFault) => void;
  readonly onClosed: () => void;
}

export class ServerConnection implements ShellOwner, ServerStreamOwner {
  readonly dispatcher: Dispatcher;
  readonly context: ExchangeContext;
  readonly trailers: Http2Trailers = new Http2Trailers();
  /** Why it was cut; empty while it was not. */
  reason = "";
  readonly #shell: Http2Shell;
  readonly #options: ServerConnectionOptions;
  /** Streams of which something came in this turn of the loop: TLS gives what came in pieces of a record each. */
  readonly #told: ServerStream[] = [];
  readonly #onImmediate = (): void => this.#tell();
  #draining = false;
  /** Monotonic ms since which it carries nothing; 0: it does. */
  #idleSinceMs: number;

  constructor(
    socket: Socket,
    dispatcher: Dispatcher,
    context: ExchangeContext,
    options: ServerConnectionOptions,
  ) {
    this.dispatcher = dispatcher;
    this.context = context;
    this.#options = options;
    this.#idleSinceMs = context.deadlines.nowMs;
    this.#shell = new Http2Shell(socket, "server", this, context);
  }

  /** Bytes are being worked through. */
  get receiving(): boolean {
    return this.#shell.receiving;
  }

  /** Takes no more requests, and ends with the last one. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#shell.connection.drain();
  }

  /** Ends at once. */
  cut(reason = ""): void {
    this.reason = reason;
    this.#shell.cut();
  }

  tellLater(stream: ServerStream): void {
    if (this.#told.push(stream) === 1) setImmediate(this.#onImmediate);
  }

  finished(stream: ServerStream): void {
    this.context.deadlines.remove(stream);
  }

  onRequest(stream: Http2Stream, fields: RequestFields, last: boolean): void {
    const { context } = this;
    this.#idleSinceMs = 0;
    if (context.shouldClose()) this.drain();
    const live = new ServerStream(this, stream, fields.method, last);
    stream.listener = live;
    context.deadlines.add(live);
    live.begin(fields);
  }

  onReceived(): void {}

  /** It opens no more streams, and ends the connection when those that it has are over. */
  onGoaway(): void {}

  onSweep(nowMs: number): void {
    const { limits, shouldClose } = this.context;
    const isIdle = this.#shell.connection.streams === 0;
    if (!isIdle) this.#idleSinceMs = 0;
    else if (this.#idleSinceMs === 0) this.#idleSinceMs = nowMs;
    const idleMs = isIdle ? nowMs - this.#idleSinceMs : 0;
    if (idleMs >= limits.idleTimeoutMs || shouldClose()) this.drain();
  }

  onFault(fault: StreamFault): void {
    this.#options.onRefused(fault);
  }

  onClosed(fault: ConnectionFault | null): void {
    if (fault !== null) this.#options.onRefused(fault);
    this.#options.onClosed();
  }

  #tell(): void {
    const told = this.#told;
    for (let index = 0; index < told.length; index += 1) told[index]!.flushRequest();
    told.length = 0;
  }
}
