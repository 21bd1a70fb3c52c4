// An HTTP/2 connection on a socket: what comes is fed to it, what it has to say leaves in one write per turn of the
// loop, and only as fast as the socket takes it.
import type { Socket } from "node:net";
import type { Clock } from "#/lib/clock.ts";
import { Http2Connection } from "#/http/http2/connection.ts";
import { ERROR } from "#/http/http2/error-code.ts";
import type { ConnectionFault, StreamFault } from "#/http/http2/fault.ts";
import type { RequestFields } from "#/http/http2/request-fields.ts";
import type { ConnectionOwner } from "#/http/http2/session.ts";
import type { Http2Stream } from "#/http/http2/stream.ts";
import type { Deadlines, Expiring } from "../../net/deadline.ts";
import { readFast } from "#/lib/fast-read.ts";
import { closeAfterAnswer } from "../../net/linger.ts";
import { reset } from "../../net/reset.ts";
import { SETTINGS_TIMEOUT_MS, sidecarLimits } from "./limits.ts";

/** Whose connection it is. */
export interface ShellOwner {
  onRequest(stream: Http2Stream, request: RequestFields, last: boolean): void;
  /** All of what was received together has been told. */
  onReceived(): void;
  /** The peer takes no new streams. */
  onGoaway(): void;
  /** With each sweep of the deadlines; monotonic ms. */
  onSweep(nowMs: number): void;
  /** A stream was reset for what the peer did on it. */
  onFault(fault: StreamFault): void;
  /** The socket is closed, all streams were told. Once. `fault`: what the peer did that ended it. */
  onClosed(fault: ConnectionFault | null): void;
}

export interface ShellContext {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

export class Http2Shell implements ConnectionOwner, Expiring {
  deadlineMs = 1;
  readonly connection: Http2Connection;
  readonly socket: Socket;
  /** Bytes are being worked through. */
  receiving = false;
  readonly #owner: ShellOwner;
  readonly #context: ShellContext;
  readonly #settingsDueMs: number;
  readonly #onImmediate = (): void => this.#flush();
  #fault: ConnectionFault | null = null;
  #ending = false;
  #closed = false;

  constructor(socket: Socket, role: "client" | "server", owner: ShellOwner, context: ShellContext) {
    const { nowMs } = context.deadlines;
    this.socket = socket;
    this.#owner = owner;
    this.#context = context;
    this.#settingsDueMs = nowMs + SETTINGS_TIMEOUT_MS;
    const options = { role, limits: sidecarLimits, connectProtocol: false };
    this.connection = new Http2Connection(this, options, nowMs);
    socket.on("data", (bytes: Buffer) => this.#data(bytes));
    readFast(socket);
    socket.on("drain", () => this.connection.setBlocked(false));
    socket.on("end", () => this.#ended());
    socket.on("error", () => this.#over());
    socket.on("close", () => this.#over());
    context.deadlines.add(this);
    socket.resume();
    // It may have ended before anybody listened, in the turn of its handshake.
    if (socket.readableEnded) process.nextTick(() => this.#ended());
  }

  /** Ends at once, with a reset. */
  cut(): void {
    reset(this.socket);
    this.#over();
  }

  onRequest(stream: Http2Stream, request: RequestFields, last: boolean): void {
    this.#owner.onRequest(stream, request, last);
  }

  onFault(fault: StreamFault): void {
    this.#owner.onFault(fault);
  }

  onWake(): void {
    setImmediate(this.#onImmediate);
  }

  onGoaway(): void {
    this.#owner.onGoaway();
  }

  onClosed(fault: ConnectionFault | null): void {
    this.#fault = fault;
    this.#ending = true;
    setImmediate(this.#onImmediate);
  }

  onDeadline(): void {
    const { nowMs } = this.#context.deadlines;
    this.deadlineMs = 1;
    if (!this.connection.settingsAcknowledged && nowMs >= this.#settingsDueMs) {
      this.connection.abort(ERROR.settingsTimeout);
      return;
    }
    this.connection.sweep(nowMs);
    this.#owner.onSweep(nowMs);
  }

  #data(bytes: Buffer): void {
    this.receiving = true;
    this.connection.receive(bytes, this.#context.deadlines.nowMs);
    this.receiving = false;
    this.#owner.onReceived();
  }

  #flush(): void {
    const { socket, connection } = this;
    if (socket.destroyed || socket.writableEnded) return;
    const parts = connection.flush();
    let free = true;
    if (parts.length === 1) free = socket.write(parts[0]!);
    else if (parts.length > 1) {
      socket.cork();
      for (const part of parts) free = socket.write(part);
      socket.uncork();
    }
    if (this.#ending) closeAfterAnswer(socket, this.#context.clock);
    else if (!free) connection.setBlocked(true);
    else if (connection.waits) setImmediate(this.#onImmediate);
  }

  /** The peer says nothing more; of what is under way nothing can become any more. */
  #ended(): void {
    if (this.connection.closed) return;
    this.connection.lost();
    this.socket.destroy();
  }

  #over(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#context.deadlines.remove(this);
    this.socket.destroy();
    this.connection.lost();
    this.#owner.onClosed(this.#fault);
  }
}
