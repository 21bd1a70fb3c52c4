// A connection on a socket: bytes in, and one write per turn of the loop out.
import type { Socket } from "node:net";
import { Http2Connection } from "#/http/http2/connection.ts";
import type { ConnectionOptions } from "#/http/http2/connection.ts";
import type { ConnectionFault } from "#/http/http2/fault.ts";
import type { RequestFields } from "#/http/http2/request-fields.ts";
import type { ConnectionOwner } from "#/http/http2/session.ts";
import type { Http2Stream } from "#/http/http2/stream.ts";

/** After the connection's end the peer has so long to read why. */
const LINGER_MS = 1000;

export type Serve = (stream: Http2Stream, request: RequestFields, last: boolean) => void;

export class Http2Shell implements ConnectionOwner {
  readonly connection: Http2Connection;
  readonly #socket: Socket;
  readonly #serve: Serve;
  fault: ConnectionFault | null = null;

  constructor(socket: Socket, options: ConnectionOptions, serve: Serve = () => {}) {
    this.#socket = socket;
    this.#serve = serve;
    this.connection = new Http2Connection(this, options, performance.now());
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => this.connection.receive(bytes, performance.now()));
    socket.on("drain", () => this.connection.setBlocked(false));
    socket.on("error", () => {});
    socket.on("close", () => this.connection.lost());
  }

  onRequest(stream: Http2Stream, request: RequestFields, last: boolean): void {
    this.#serve(stream, request, last);
  }

  onFault(): void {}

  onWake(): void {
    setImmediate(() => this.#flush());
  }

  onGoaway(): void {
    this.connection.drain();
  }

  onClosed(fault: ConnectionFault | null): void {
    this.fault = fault;
    if (this.#socket.destroyed) return;
    setImmediate(() => {
      this.#flush();
      this.#socket.end();
      setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
    });
  }

  #flush(): void {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return;
    const parts = this.connection.flush();
    if (parts.length === 0) return;
    socket.cork();
    let free = true;
    for (const part of parts) free = socket.write(part);
    socket.uncork();
    if (!free) this.connection.setBlocked(true);
    else if (this.connection.waits) this.onWake();
  }
}
