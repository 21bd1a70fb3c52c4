// gRPC on one connection, whose other end is known already, over our own HTTP/2: what lies between the socket and
// a call's handler costs some 5 us of CPU, over node:http2 and grpc-js it was some 100. What a call is about is
// not known here: it moves bytes. Whoever calls is not trusted: all that it can make us hold or do has a limit.
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { RpcError } from "../rpc-error.ts";
import { Call } from "./call.ts";
import {
  ERROR,
  Http2Connection,
  METHOD,
  ascii,
  defaultConnectionLimits,
  fieldLine,
  readFast,
} from "./http2.ts";
import type { ConnectionLimits, ConnectionOwner, Http2Stream, RequestFields } from "./http2.ts";
import { serveDuplex, serveUnary } from "./methods.ts";
import type { ByteServer, CallServerOptions } from "./options.ts";
import { readTimeout } from "./timeout.ts";

/** For calls under way when a connection drains; its end comes by the clock in any case. */
const drainGraceMs = 10_000;
/** A peer of which nothing was heard for so long is asked whether it is there. */
const silentMs = 10_000;
/** And has so long to answer. */
const answerMs = 5_000;
/** After the connection's end the peer has so long to read why. */
const lingerMs = 1_000;
/** To so much a caller's patience is rounded up: timers of a few lengths cost less than of each. */
const timeoutStepMs = 250;
/** A call that says no time, or a longer one, may take so long. */
const timeoutMsMax = 2 ** 30;

const streamWindowBytes = 65_536;
const connectionWindowBytes = 1_048_576;

const timeoutName = ascii("grpc-timeout");
const contentTypeName = ascii("content-type");
const grpcType = /^application\/grpc(?:[+;].*)?$/;
const notGrpc = fieldLine(":status", "415");
const notPost = fieldLine(":status", "405");

export function serveCalls(socket: Duplex, options: CallServerOptions): ByteServer {
  return new Connection(socket as Socket, options);
}

class Connection implements ConnectionOwner, ByteServer {
  readonly #socket: Socket;
  readonly #options: CallServerOptions;
  readonly #http2: Http2Connection;
  #heardMs: number;
  #cancelCheck: () => void = () => {};
  #cancelGrace: () => void = () => {};
  readonly #flushLater = (): void => this.#flush();

  constructor(socket: Socket, options: CallServerOptions) {
    this.#socket = socket;
    this.#options = options;
    const limits: ConnectionLimits = {
      ...defaultConnectionLimits,
      streamsMax: options.streamsMax,
      streamWindowBytes,
      connectionWindowBytes,
    };
    this.#heardMs = options.clock.monotonic();
    const http2Options = { role: "server", limits, connectProtocol: false } as const;
    this.#http2 = new Http2Connection(this, http2Options, this.#heardMs);
    socket.setNoDelay?.(true);
    socket.on("data", (bytes: Buffer) => {
      this.#heardMs = options.clock.monotonic();
      this.#http2.receive(bytes, this.#heardMs);
    });
    readFast(socket);
    socket.on("drain", () => this.#http2.setBlocked(false));
    socket.on("end", () => this.#http2.lost());
    socket.on("error", () => this.#http2.lost());
    socket.on("close", () => this.#lost());
    this.#checkIn(silentMs);
  }

  drain(): void {
    if (this.#http2.closed) return;
    this.#http2.drain();
    const { clock } = this.#options;
    this.#cancelGrace();
    this.#cancelGrace = clock.after(drainGraceMs, () => this.#http2.abort(ERROR.noError));
  }

  destroy(): void {
    this.#lost();
    this.#socket.destroy();
  }

  onRequest(stream: Http2Stream, request: RequestFields, last: boolean): void {
    const { fields } = request;
    if (request.method !== METHOD.post) return refuse(stream, notPost);
    if (!grpcType.test(fields.value(contentTypeName) ?? "")) return refuse(stream, notGrpc);
    const { unary, duplex } = this.#options;
    const call = new Call(stream, this.#options);
    const path = request.pathText;
    const answers = unary[path];
    const opens = duplex[path];
    if (answers === undefined && opens === undefined) {
      return call.fail(new RpcError("unimplemented", "There is no such method"));
    }
    const timeout = fields.value(timeoutName);
    const cancel = timeout === null ? nothing : this.#limit(call, timeout);
    if (answers !== undefined) serveUnary(call, answers, cancel);
    else if (opens !== undefined) serveDuplex(call, opens, cancel);
    if (last) call.onTrailers();
  }

  onWake(): void {
    setImmediate(this.#flushLater);
  }

  onGoaway(): void {
    this.#http2.drain();
  }

  /** What one call did wrong is told to that call. */
  onFault(): void {}

  onClosed(): void {
    this.#cancelCheck();
    this.#cancelGrace();
    if (this.#socket.destroyed) return;
    setImmediate(() => {
      this.#flush();
      this.#socket.end();
      this.#options.clock.after(lingerMs, () => this.#socket.destroy());
    });
  }

  #lost(): void {
    this.#cancelCheck();
    this.#cancelGrace();
    this.#http2.lost();
  }

  #limit(call: Call, text: string): () => void {
    const timeoutMs = readTimeout(text);
    if (timeoutMs === null) {
      call.fail(new RpcError("invalid_argument", "Cannot read grpc-timeout"));
      return nothing;
    }
    const rounded = Math.ceil(Math.min(timeoutMs, timeoutMsMax) / timeoutStepMs) * timeoutStepMs;
    return this.#options.clock.after(rounded, () => {
      call.fail(new RpcError("deadline_exceeded", "It took too long"));
    });
  }

  #checkIn(delayMs: number): void {
    const { clock } = this.#options;
    this.#cancelCheck = clock.after(delayMs, () => {
      const now = clock.monotonic();
      this.#http2.sweep(now);
      const quietMs = now - this.#heardMs;
      if (quietMs >= silentMs + answerMs) return this.destroy();
      if (quietMs < silentMs) return this.#checkIn(silentMs - quietMs);
      this.#http2.ping();
      this.#checkIn(answerMs);
    });
  }

  #flush(): void {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return;
    const parts = this.#http2.flush();
    if (parts.length === 0) return;
    const free = socket.write(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
    if (!free) this.#http2.setBlocked(true);
    else if (this.#http2.waits) this.onWake();
  }
}

function nothing(): void {}

/** What is no gRPC is told so by HTTP. */
function refuse(stream: Http2Stream, status: ReturnType<typeof fieldLine>): void {
  const head = stream.openHead();
  if (head === null) return;
  head.line(status);
  stream.respond(true);
  if (!stream.remoteEnded) stream.reset(ERROR.noError);
}
