// One downstream HTTP/1.1 connection and the request that is on it: reads strictly, asks the
// dispatcher where the request goes, passes bytes both ways, and starts the next one. One object
// for the whole connection, nothing allocated per request that is not bytes.
import type { Socket } from "node:net";
import { BODY } from "../http1/framing.ts";
import { METHOD } from "../http1/method.ts";
import type { MethodCode } from "../http1/method.ts";
import { MORE, refusalOf } from "../http1/refusal.ts";
import { RequestHead } from "../http1/request-head.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { localReply } from "../http1/local-reply.ts";
import type { LocalStatus } from "../http1/local-reply.ts";
import { acceptsWebsocket, websocketAccept } from "../http1/websocket.ts";
import { linesOf, responseBytes } from "../http1/writer.ts";
import { readFast } from "../net/fast-read.ts";
import type { Expiring } from "../net/deadline.ts";
import { closeAfterAnswer } from "../net/linger.ts";
import { reset } from "../net/reset.ts";
import type { Splice } from "../net/splice.ts";
import { Body } from "./body.ts";
import { statusOfFailure } from "./failure-status.ts";
import { appended, joinBody } from "./join.ts";
import { Replay } from "./replay.ts";
import { openTunnel } from "./tunnel.ts";
import type { Dispatcher, ExchangeContext, LiveRequest } from "./dispatcher.ts";
import type { UpstreamFailure, UpstreamStream } from "./transport.ts";

const READ_HEAD = 0;
const READ_BODY = 1;
const REQUEST_READ = 2;
const CLOSED = 3;

const NO_BYTES = Buffer.alloc(0);
const CLOSE = linesOf("connection: close");

/** Bytes that a caller may send ahead (pipelining) while a response is on its way. */
const PIPELINED_BYTES_MAX = 64 * 1024;

export class Exchange implements LiveRequest, Expiring {
  deadlineMs = 0;
  readonly request: RequestHead = new RequestHead();
  startedMs = 0;
  requestBodyBytes = 0;
  responseBodyBytes = 0;
  tries = 0;
  group = "";
  status = 0;
  reason = "";
  readonly #socket: Socket;
  readonly #dispatcher: Dispatcher;
  readonly #context: ExchangeContext;
  readonly #body = new Body();
  readonly #replay: Replay;
  #state = READ_HEAD;
  #upstream: UpstreamStream | null = null;
  #responseStarted = false;
  #active = false;
  #keepAlive = true;
  #draining = false;
  #paused = false;
  #pending: Buffer | null = null;
  #processing = false;
  #tunnel: Splice | null = null;

  constructor(socket: Socket, dispatcher: Dispatcher, context: ExchangeContext) {
    this.#socket = socket;
    this.#dispatcher = dispatcher;
    this.#context = context;
    this.#replay = new Replay(context.limits.replayBytesMax);
    socket.on("data", (bytes: Buffer) => this.#data(bytes));
    readFast(socket);
    socket.on("drain", () => this.#upstream?.resume());
    socket.on("end", () => this.#ended());
    socket.on("error", () => this.#closed());
    socket.on("close", () => this.#closed());
    this.deadlineMs = context.deadlines.nowMs + this.#context.limits.firstHeadTimeoutMs;
    context.deadlines.add(this);
    socket.resume();
    // It may have ended before anybody listened, in the turn of its handshake.
    if (socket.readableEnded) process.nextTick(() => this.#ended());
  }

  get method(): MethodCode {
    return this.request.method;
  }
  get websocket(): boolean {
    return this.request.websocket;
  }

  get replayable(): boolean {
    return this.#replay.whole;
  }

  get responseStarted(): boolean {
    return this.#responseStarted;
  }

  /** Ends after the present request, or now when there is none. */
  drain(): void {
    this.#draining = true;
    if (!this.#active && this.#state === READ_HEAD && this.#pending === null) this.#socket.end();
  }

  cut(reason = ""): void {
    if (reason !== "") this.reason = reason;
    this.#tunnel?.cut();
    if (this.#state === CLOSED && this.#tunnel === null) return;
    reset(this.#socket);
    this.#closed();
  }

  /** `refused`: the request may not end where it seems to, so the connection ends with it. */
  reply(status: LocalStatus, reason: string, refused = false): void {
    this.reason = reason;
    this.dropTry();
    if (this.#responseStarted) {
      // Too late for a status: the caller must see that the response is not whole.
      reset(this.#socket);
      this.#closed();
      return;
    }
    this.status = status;
    this.#responseStarted = true;
    const read = this.#state === REQUEST_READ && !refused;
    if (!read || !this.#mayKeepAlive()) this.#keepAlive = false;
    this.#socket.write(localReply(status, this.request.method === METHOD.head, !this.#keepAlive));
    this.#finish();
  }

  dropTry(): void {
    const upstream = this.#upstream;
    this.#upstream = null;
    upstream?.abandon();
  }

  setHead(head: Buffer): void {
    this.#replay.begin(head);
  }

  onStreamOpen(stream: UpstreamStream): void {
    if (!this.#active) return stream.abandon();
    this.#upstream = stream;
    this.tries += 1;
    this.group = stream.facts.group;
    let ready = true;
    for (const bytes of this.#replay.chunks) ready = stream.send(bytes);
    this.#replay.sent();
    if (this.#state === REQUEST_READ) stream.finishRequest();
    else if (ready) this.#resumeReading();
    else this.#pauseReading();
  }

  onInterim(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  onResponse(head: ResponseHead, bytes: Buffer, bodyEnd: number, last: boolean): void {
    if (this.#dispatcher.responded(this, head.status)) {
      // It will be tried again: this response is read to its end and forgotten.
      this.dropTry();
      return;
    }
    this.status = head.status;
    this.#responseStarted = true;
    this.responseBodyBytes = bodyEnd - head.end;
    if (head.switching) {
      this.#upgrade(head, bytes, bodyEnd);
      return;
    }
    if (!this.#mayKeepAlive() || head.bodyKind === BODY.close) this.#keepAlive = false;
    const out = responseBytes(head, this.#keepAlive ? null : CLOSE);
    if (!this.#socket.write(joinBody(out, bytes, head.end, bodyEnd))) this.#upstream?.pause();
    if (last) this.#responseFinished();
  }

  onResponseBytes(bytes: Buffer, last: boolean): void {
    this.responseBodyBytes += bytes.length;
    if (bytes.length > 0 && !this.#socket.write(bytes)) this.#upstream?.pause();
    if (last) this.#responseFinished();
  }

  onStreamFailed(failure: UpstreamFailure, sent: boolean): void {
    if (!this.#active) return;
    this.#upstream = null;
    if (failure !== "connect_refused" && !sent) this.tries += this.tries === 0 ? 1 : 0;
    if (!this.#responseStarted && this.#dispatcher.failed(this, failure, sent)) return;
    this.reply(statusOfFailure(failure), failure);
  }

  onUpstreamDrain(): void {
    this.#resumeReading();
  }

  onDeadline(): void {
    if (this.#state === CLOSED) return;
    if (this.#active) {
      const waiting = this.#state === REQUEST_READ;
      this.reply(waiting ? 504 : 408, waiting ? "response_timeout" : "request_timeout");
    } else if (this.#pending === null) {
      this.#socket.end();
      this.#socket.destroySoon();
    } else {
      this.#begin();
      this.reply(408, "head_timeout");
    }
  }

  #data(bytes: Buffer): void {
    if (this.#state === CLOSED) return;
    const buffer = appended(this.#pending, bytes);
    this.#pending = null;
    this.#process(buffer);
  }

  #process(buffer: Buffer): void {
    this.#processing = true;
    let offset = 0;
    while (offset < buffer.length) {
      if (this.#state === READ_HEAD) {
        const next = this.#readHead(buffer, offset);
        if (next < 0) break;
        offset = next;
      } else if (this.#state === READ_BODY) {
        const next = this.#readBody(buffer, offset, true);
        if (next < 0) break;
        offset = next;
      } else if (this.#state === REQUEST_READ) {
        this.#pending = offset === 0 ? buffer : buffer.subarray(offset);
        if (this.#pending.length > PIPELINED_BYTES_MAX) this.#pauseReading();
        break;
      } else break;
    }
    this.#processing = false;
  }

  #readHead(buffer: Buffer, start: number): number {
    const { request } = this;
    const headEnd = request.parse(buffer, start, buffer.length);
    if (headEnd === MORE) {
      if (start !== 0) request.reset();
      if (this.#pending === null && !this.#active) {
        this.startedMs = this.#context.clock.monotonic();
        if (this.deadlineMs > this.#context.deadlines.nowMs + this.#context.limits.headTimeoutMs) {
          this.deadlineMs = this.#context.deadlines.nowMs + this.#context.limits.headTimeoutMs;
        }
      }
      this.#pending = start === 0 ? buffer : buffer.subarray(start);
      return -1;
    }
    this.#begin();
    if (headEnd < 0) {
      const { status, reason } = refusalOf(headEnd);
      this.reply(status, reason, true);
      return -1;
    }
    this.#keepAlive = request.keepAlive;
    this.#body.begin(request.bodyKind, request.contentLength);
    this.#state = this.#body.complete ? REQUEST_READ : READ_BODY;
    this.#dispatcher.dispatch(this);
    let end = headEnd;
    if (this.#state === READ_BODY && end < buffer.length) end = this.#readBody(buffer, end, false);
    if (this.#active && end >= 0) this.#dispatcher.open(this);
    return end;
  }

  #begin(): void {
    this.#active = true;
    const { clock, deadlines } = this.#context;
    this.startedMs = clock.monotonic();
    this.deadlineMs = deadlines.nowMs + this.#context.limits.streamIdleTimeoutMs;
    this.status = 0;
    this.reason = "";
    this.tries = 0;
    this.requestBodyBytes = 0;
    this.responseBodyBytes = 0;
    this.#responseStarted = false;
  }

  /** `opened`: the stream has been asked for; before, bytes only join the replay. */
  #readBody(buffer: Buffer, start: number, opened: boolean): number {
    const end = this.#body.take(buffer, start);
    if (end < 0) {
      const { status, reason } = refusalOf(end);
      this.reply(status, reason, true);
      return -1;
    }
    const { complete } = this.#body;
    this.requestBodyBytes += end - start;
    if (complete) this.#state = REQUEST_READ;
    this.deadlineMs = this.#context.deadlines.nowMs + this.#context.limits.streamIdleTimeoutMs;
    this.#forward(buffer.subarray(start, end));
    if (complete && opened) this.#upstream?.finishRequest();
    return end;
  }

  #forward(bytes: Buffer): void {
    const upstream = this.#upstream;
    this.#replay.add(bytes, upstream === null);
    if (upstream !== null) {
      if (!upstream.send(bytes)) this.#pauseReading();
    } else if (this.#replay.full) this.#pauseReading();
  }

  #responseFinished(): void {
    if (this.#state !== REQUEST_READ) this.#keepAlive = false;
    this.#finish();
  }

  /** The response is out (or never will be): count it, and make ready for the next. */
  #finish(): void {
    if (!this.#active) return;
    this.#active = false;
    this.#upstream = null;
    this.#dispatcher.finished(this);
    this.#replay.clear();
    if (!this.#keepAlive || this.#draining) {
      this.#endSocket();
      return;
    }
    this.request.reset();
    this.#state = READ_HEAD;
    this.deadlineMs = this.#context.deadlines.nowMs + this.#context.limits.idleTimeoutMs;
    this.#resumeReading();
    // Not from within the response's own call: a long pipeline must not deepen the stack. What was sent
    // ahead stays where it is until then: bytes that come meanwhile belong behind it.
    if (this.#pending !== null && !this.#processing) setImmediate(() => this.#data(NO_BYTES));
  }

  #endSocket(): void {
    this.#state = CLOSED;
    this.#context.deadlines.remove(this);
    closeAfterAnswer(this.#socket, this.#context.clock);
  }

  #upgrade(head: ResponseHead, bytes: Buffer, bodyEnd: number): void {
    const upstream = this.#upstream!;
    if (!acceptsWebsocket(head, websocketAccept(this.request))) {
      this.#responseStarted = false;
      this.reply(502, "upgrade_invalid", true);
      return;
    }
    this.#socket.write(joinBody(responseBytes(head, null), bytes, head.end, bodyEnd));
    this.#context.deadlines.remove(this);
    this.#state = CLOSED;
    const early = this.#pending;
    this.#pending = null;
    const other = upstream.detach();
    this.#tunnel = openTunnel(this.#socket, other, early, this.#context, (end, reason) => {
      this.#tunnel = null;
      if (this.reason === "") this.reason = reason;
      this.requestBodyBytes = end.bytesFromDownstream;
      this.responseBodyBytes = end.bytesToDownstream;
      this.#active = false;
      this.#dispatcher.finished(this);
      this.#dispatcher.closed(this);
    });
  }

  #mayKeepAlive(): boolean {
    return this.#keepAlive && !this.#draining && !this.#context.shouldClose();
  }

  #pauseReading(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  #resumeReading(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  #ended(): void {
    // A caller that closes while it waits has gone away, as far as HTTP is concerned.
    if (this.#active) this.cut();
    else this.#socket.end();
  }

  #closed(): void {
    if (this.#state === CLOSED && !this.#active) {
      if (this.#tunnel === null) this.#dispatcher.closed(this);
      return;
    }
    if (this.#tunnel !== null) return;
    this.#state = CLOSED;
    this.#context.deadlines.remove(this);
    this.#socket.destroy();
    if (this.#active) {
      this.dropTry();
      this.#dispatcher.cancelled(this);
      this.#active = false;
      this.#dispatcher.finished(this);
      this.#replay.clear();
    }
    this.#dispatcher.closed(this);
  }
}
