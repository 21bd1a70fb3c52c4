// One downstream HTTP/1.1 connection and the request that is on it: reads strictly, asks the
// dispatcher where the request goes, passes messages both ways, and starts the next one. One object
// for the whole connection, nothing allocated per request that is not bytes.
import type { Socket } from "node:net";
import { BODY } from "#/http/http1/framing.ts";
import { METHOD } from "#/http/http1/method.ts";
import type { MethodCode } from "#/http/http1/method.ts";
import { MORE, refusalOf } from "#/http/http1/refusal.ts";
import { RequestHead } from "#/http/http1/request-head.ts";
import { localReply } from "#/http/http1/local-reply.ts";
import type { LocalStatus } from "#/http/http1/local-reply.ts";
import { readFast } from "#/lib/fast-read.ts";
import type { Expiring } from "../net/deadline.ts";
import { closeAfterAnswer } from "../net/linger.ts";
import { reset } from "../net/reset.ts";
import type { Splice } from "../net/splice.ts";
import { Valve } from "../net/valve.ts";
import { statusOfFailure } from "./failure-status.ts";
import { Http1Request } from "./http1-messages.ts";
import { appended } from "./join.ts";
import { MessageWriter } from "./message-writer.ts";
import { RequestContent } from "./request-content.ts";
import { openTunnel, switchProtocols } from "./tunnel.ts";
import type { Dispatcher, ExchangeContext, LiveRequest } from "./dispatcher.ts";
import type { IncomingResponse, Switching, Trailers } from "./transport.ts";
import type { UpstreamFailure, UpstreamStream } from "./transport.ts";

const READ_HEAD = 0;
const READ_BODY = 1;
const REQUEST_READ = 2;
const CLOSED = 3;
const NO_BYTES = Buffer.alloc(0);

/** Bytes that a caller may send ahead (pipelining) while a response is on its way. */
const PIPELINED_BYTES_MAX = 64 * 1024;

export class Exchange implements LiveRequest, Expiring {
  deadlineMs = 0;
  startedMs = 0;
  responseBodyBytes = 0;
  tries = 0;
  group = "";
  status = 0;
  reason = "";
  readonly #socket: Socket;
  readonly #valve: Valve;
  readonly #dispatcher: Dispatcher;
  readonly #context: ExchangeContext;
  readonly #head = new RequestHead();
  readonly #outgoing: Http1Request;
  readonly #content: RequestContent;
  readonly #writer: MessageWriter;
  #state = READ_HEAD;
  #responseStarted = false;
  #active = false;
  #keepAlive = true;
  #draining = false;
  #pending: Buffer | null = null;
  #processing = false;
  #tunnel: Splice | null = null;

  constructor(socket: Socket, dispatcher: Dispatcher, context: ExchangeContext) {
    this.#socket = socket;
    this.#dispatcher = dispatcher;
    this.#context = context;
    this.#outgoing = new Http1Request(this.#head, dispatcher.added);
    this.#content = new RequestContent(context.limits.replayBytesMax);
    this.#valve = new Valve(socket);
    this.#writer = new MessageWriter(socket);
    socket.on("data", (bytes: Buffer) => this.#data(bytes));
    readFast(socket);
    socket.on("drain", () => {
      this.#writer.drained();
      this.#content.upstream?.resume();
    });
    socket.on("end", () => this.#ended());
    socket.on("error", () => this.#closed());
    socket.on("close", () => this.#closed());
    this.deadlineMs = context.deadlines.nowMs + this.#context.limits.firstHeadTimeoutMs;
    context.deadlines.add(this);
    socket.resume();
    // It may have ended before anybody listened, in the turn of its handshake.
    if (socket.readableEnded) process.nextTick(() => this.#ended());
  }

  get request(): RequestHead | null {
    return this.#head.end > 0 ? this.#head : null;
  }

  get method(): MethodCode {
    return this.#head.method;
  }

  get websocket(): boolean {
    return this.#head.websocket;
  }

  get http1Only(): boolean {
    return this.#head.websocket || this.#outgoing.http2Refusal !== 0;
  }

  get requestBodyBytes(): number {
    return this.#content.bytes;
  }

  get replayable(): boolean {
    return this.#content.replayable;
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
    this.#writer.flush();
    this.#socket.write(localReply(status, this.#head.method === METHOD.head, !this.#keepAlive));
    this.#finish();
  }

  dropTry(): void {
    const { upstream } = this.#content;
    this.#content.upstream = null;
    upstream?.abandon();
  }

  onStreamOpen(stream: UpstreamStream): void {
    if (!this.#active) return stream.abandon();
    this.tries += 1;
    this.group = stream.facts.group;
    this.#content.sendTo(stream, this.#outgoing);
    if (this.#content.upstream !== stream) return;
    if (!stream.flush()) this.#valve.close();
    else if (!this.#content.complete) this.#valve.open();
  }

  onInterim(response: IncomingResponse): void {
    // RFC 9110 section 15.2.
    if (this.#head.minor === 0) return;
    const head = response.http1Head(BODY.none, false);
    if (typeof head !== "number") this.#writer.head(head, BODY.none);
  }

  onResponseHead(response: IncomingResponse, last: boolean): void {
    if (this.#dispatcher.responded(this, response.status)) {
      // It will be tried again: this response is read to its end and forgotten.
      this.dropTry();
      return;
    }
    const { switching } = response;
    if (switching !== null) {
      this.#upgrade(switching);
      return;
    }
    const body = response.bodyFor(this.#head.minor);
    if (!this.#mayKeepAlive() || body === BODY.close) this.#keepAlive = false;
    const head = response.http1Head(body, !this.#keepAlive);
    if (typeof head === "number") {
      this.reply(502, "response_invalid");
      return;
    }
    this.status = response.status;
    this.#responseStarted = true;
    this.#touch();
    this.#writer.head(head, body);
    if (last) this.#responseFinished();
  }

  onResponseContent(bytes: Buffer, start: number, end: number, last: boolean): void {
    this.responseBodyBytes += end - start;
    this.#touch();
    this.#writer.content(bytes, start, end);
    if (!last) return;
    this.#writer.end();
    this.#responseFinished();
  }

  onResponseTrailers(trailers: Trailers): void {
    const end = trailers.http1End();
    if (typeof end === "number") return this.reply(502, refusalOf(end).reason);
    this.#writer.trailers(end);
    this.#responseFinished();
  }

  onReceived(): void {
    if (!this.#writer.flush()) this.#content.upstream?.pause();
  }

  onStreamFailed(failure: UpstreamFailure, sent: boolean): void {
    if (!this.#active) return;
    this.#content.upstream = null;
    if (failure !== "connect_refused" && !sent) this.tries += this.tries === 0 ? 1 : 0;
    if (!this.#responseStarted && this.#dispatcher.failed(this, failure, sent)) return;
    this.reply(statusOfFailure(failure), failure);
  }

  onUpstreamDrain(): void {
    this.#valve.open();
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
    while (offset >= 0 && offset < buffer.length && this.#state !== CLOSED) {
      if (this.#state === READ_HEAD) offset = this.#readHead(buffer, offset);
      else if (this.#state === READ_BODY) offset = this.#readBody(buffer, offset);
      else {
        this.#pending = offset === 0 ? buffer : buffer.subarray(offset);
        if (this.#pending.length > PIPELINED_BYTES_MAX) this.#valve.close();
        break;
      }
    }
    this.#processing = false;
    if (this.#content.upstream !== null && !this.#content.upstream.flush()) this.#valve.close();
  }

  #readHead(buffer: Buffer, start: number): number {
    const request = this.#head;
    const headEnd = request.parse(buffer, start, buffer.length);
    if (headEnd === MORE) {
      if (start !== 0) request.reset();
      if (this.#pending === null && !this.#active) {
        this.startedMs = this.#context.clock.monotonic();
        const dueMs = this.#context.deadlines.nowMs + this.#context.limits.headTimeoutMs;
        this.deadlineMs = Math.min(this.deadlineMs, dueMs);
      }
      this.#pending = start === 0 ? buffer : buffer.subarray(start);
      return -1;
    }
    this.#begin();
    if (headEnd < 0) return this.#refuse(headEnd);
    this.#keepAlive = request.keepAlive;
    this.#content.begin(request);
    this.#state = this.#content.complete ? REQUEST_READ : READ_BODY;
    this.#dispatcher.dispatch(this);
    let end = headEnd;
    if (this.#state === READ_BODY && end < buffer.length) end = this.#readBody(buffer, end);
    if (this.#active && end >= 0) this.#dispatcher.open(this);
    return end;
  }

  #refuse(code: number): number {
    const { status, reason } = refusalOf(code);
    this.reply(status, reason, true);
    return -1;
  }

  #begin(): void {
    this.#active = true;
    this.startedMs = this.#context.clock.monotonic();
    this.#touch();
    this.status = 0;
    this.reason = "";
    this.tries = 0;
    this.#content.bytes = 0;
    this.responseBodyBytes = 0;
    this.#responseStarted = false;
  }

  /** The offset after what belongs to the body; -1 when that cannot be read and was answered. */
  #readBody(buffer: Buffer, start: number): number {
    this.#touch();
    const end = this.#content.take(buffer, start);
    if (end < 0) return this.#refuse(end);
    if (this.#content.complete) this.#state = REQUEST_READ;
    if (this.#content.full) this.#valve.close();
    return end;
  }

  #touch(): void {
    this.deadlineMs = this.#context.deadlines.nowMs + this.#context.limits.streamIdleTimeoutMs;
  }

  #responseFinished(): void {
    if (this.#state !== REQUEST_READ) this.#keepAlive = false;
    if (!this.#writer.flush()) this.#content.upstream?.pause();
    this.#finish();
  }

  /** The response is out (or never will be): count it, and make ready for the next. */
  #finish(): void {
    if (!this.#active) return;
    this.#active = false;
    this.#content.clear();
    this.#dispatcher.finished(this);
    if (!this.#keepAlive || this.#draining) {
      this.#state = CLOSED;
      this.#context.deadlines.remove(this);
      closeAfterAnswer(this.#socket, this.#context.clock);
      return;
    }
    this.#head.reset();
    this.#state = READ_HEAD;
    this.deadlineMs = this.#context.deadlines.nowMs + this.#context.limits.idleTimeoutMs;
    this.#valve.open();
    // Not from within the response's own call: a long pipeline must not deepen the stack. What was sent
    // ahead stays where it is until then: bytes that come meanwhile belong behind it.
    if (this.#pending !== null && !this.#processing) setImmediate(() => this.#data(NO_BYTES));
  }

  #upgrade(switching: Switching): void {
    const upstream = this.#content.upstream!;
    if (!switchProtocols(this.#writer, this.#head, switching)) {
      this.reply(502, "upgrade_invalid", true);
      return;
    }
    this.status = switching.head.status;
    this.#responseStarted = true;
    this.#context.deadlines.remove(this);
    this.#state = CLOSED;
    const ahead = this.#pending;
    this.#pending = null;
    const other = upstream.detach();
    this.#tunnel = openTunnel(this.#socket, other, ahead, this.#context, (end, reason) => {
      this.#tunnel = null;
      if (this.reason === "") this.reason = reason;
      this.#content.bytes = end.bytesFromDownstream;
      this.responseBodyBytes = end.bytesToDownstream;
      this.#active = false;
      this.#dispatcher.finished(this);
      this.#dispatcher.closed(this);
    });
  }

  #mayKeepAlive(): boolean {
    return this.#keepAlive && !this.#draining && !this.#context.shouldClose();
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
      this.#content.clear();
    }
    this.#dispatcher.closed(this);
  }
}
