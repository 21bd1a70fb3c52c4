// One request that came on a connection from another sidecar: what an Exchange is for HTTP/1.1, for a single stream.
import type { LocalStatus } from "#/http/http1/local-reply.ts";
import { METHOD } from "#/http/http1/method.ts";
import type { MethodCode } from "#/http/http1/method.ts";
import { refusalOf } from "#/http/http1/refusal.ts";
import { ERROR } from "#/http/http2/error-code.ts";
import type { FieldBlock } from "#/http/http2/field-block.ts";
import type { RequestFields } from "#/http/http2/request-fields.ts";
import type { Http2Stream, StreamListener } from "#/http/http2/stream.ts";
import type { Expiring } from "../../net/deadline.ts";
import type { Dispatcher, ExchangeContext, LiveRequest } from "../dispatcher.ts";
import { statusOfFailure } from "../failure-status.ts";
import type { IncomingResponse, Trailers, UpstreamFailure, UpstreamStream } from "../transport.ts";
import { sendLocalReply } from "./local-reply.ts";
import { keptTrailers } from "./messages.ts";
import type { Http2Trailers } from "./messages.ts";
import { StreamRequest } from "./stream-request.ts";

/** The connection that it is on, as a stream knows it. */
export interface ServerStreamOwner {
  readonly context: ExchangeContext;
  /** Of all its requests: it keeps nothing of any one. */
  readonly dispatcher: Dispatcher;
  readonly trailers: Http2Trailers;
  /** Why the connection was cut; empty while it was not. */
  readonly reason: string;
  /** Bytes are being worked through. */
  readonly receiving: boolean;
  /** Calls back the stream's flushRequest() later in this turn, when all that came together was told. */
  tellLater(stream: ServerStream): void;
  finished(stream: ServerStream): void;
  drain(): void;
}

export class ServerStream implements LiveRequest, StreamListener, Expiring {
  deadlineMs = 0;
  readonly startedMs: number;
  request: StreamRequest | null = null;
  requestBodyBytes = 0;
  responseBodyBytes = 0;
  tries = 0;
  group = "";
  status = 0;
  reason = "";
  responseStarted = false;
  readonly method: MethodCode;
  readonly #owner: ServerStreamOwner;
  readonly #stream: Http2Stream;
  #upstream: UpstreamStream | null = null;
  #active = true;
  /** A byte of it may have reached the application. */
  #sent = false;
  /** The request is complete. */
  #read: boolean;
  /** What came before there was a stream to send it on; the window bounds it. */
  #early: Buffer[] | null = null;
  #earlyTrailers: Trailers | null = null;
  /** Bytes that the upstream has not taken yet. */
  #unreleased = 0;
  #told = false;

  constructor(owner: ServerStreamOwner, stream: Http2Stream, method: MethodCode, last: boolean) {
    this.#owner = owner;
    this.#stream = stream;
    this.method = method;
    this.#read = last;
    this.startedMs = owner.context.clock.monotonic();
    this.#keep();
  }

  /** HTTP/2 has no upgrade. */
  get websocket(): boolean {
    return false;
  }

  get http1Only(): boolean {
    return false;
  }

  /** Its content goes by and is not kept. */
  get replayable(): boolean {
    return !this.#sent;
  }

  /** The fields live until it returns. */
  begin(fields: RequestFields): void {
    const { dispatcher } = this.#owner;
    const request = StreamRequest.from(fields, this.#read, dispatcher.added);
    if (typeof request === "number") {
      const { status, reason } = refusalOf(request);
      this.reply(status, reason);
      return;
    }
    this.request = request;
    dispatcher.dispatch(this);
    if (this.#active) dispatcher.open(this);
  }

  drain(): void {
    this.#owner.drain();
  }

  /** The caller is told by a reset; if nothing of it was sent on, that it may be sent again elsewhere. */
  cut(reason = ""): void {
    if (reason !== "") this.reason = reason;
    this.#stream.reset(this.#sent ? ERROR.internalError : ERROR.refusedStream);
    this.#cancelled();
  }

  reply(status: LocalStatus, reason: string): void {
    if (!this.#active) return;
    this.reason = reason;
    this.dropTry();
    const tooLate = this.responseStarted;
    this.responseStarted = true;
    const replied = !tooLate && sendLocalReply(this.#stream, status, this.method === METHOD.head);
    // The caller must see that the response is not whole.
    if (!replied) this.#stream.reset(ERROR.internalError);
    else this.status = status;
    this.#finish();
  }

  dropTry(): void {
    const upstream = this.#upstream;
    this.#upstream = null;
    upstream?.abandon();
  }

  onStreamOpen(upstream: UpstreamStream): void {
    if (!this.#active) return upstream.abandon();
    this.#upstream = upstream;
    this.tries += 1;
    this.group = upstream.facts.group;
    this.#sent = true;
    const early = this.#early;
    const complete = this.#read && this.#earlyTrailers === null;
    upstream.sendRequest(this.request!, complete && early === null);
    if (early !== null) {
      this.#early = null;
      for (const [index, bytes] of early.entries()) {
        upstream.send(bytes, complete && index === early.length - 1);
      }
    }
    if (this.#earlyTrailers !== null) upstream.sendTrailers(this.#earlyTrailers);
    this.#earlyTrailers = null;
    // What follows in the bytes that are being received goes into the same write.
    if (!this.#read && this.#owner.receiving) this.#touch();
    else this.#flush();
  }

  onInterim(response: IncomingResponse): void {
    if (response.http2Refusal !== 0) return;
    const encoder = this.#stream.openHead();
    if (encoder === null) return;
    response.http2Head(encoder);
    this.#stream.interim();
  }

  onResponseHead(incoming: IncomingResponse, last: boolean): void {
    this.#keep();
    if (this.#owner.dispatcher.responded(this, incoming.status)) return this.dropTry();
    if (incoming.http2Refusal !== 0 || incoming.switching !== null) {
      return this.reply(502, "response_invalid");
    }
    const encoder = this.#stream.openHead();
    if (encoder === null) return this.cut();
    this.status = incoming.status;
    this.responseStarted = true;
    incoming.http2Head(encoder);
    this.#stream.respond(last);
    if (last) this.#finish();
  }

  onResponseContent(bytes: Buffer, start: number, end: number, last: boolean): void {
    this.#keep();
    this.responseBodyBytes += end - start;
    const isWhole = start === 0 && end === bytes.length;
    const content = isWhole ? bytes : bytes.subarray(start, end);
    if (!this.#stream.send(content, last)) this.#upstream?.pause();
    if (last) this.#finish();
  }

  onResponseTrailers(trailers: Trailers): void {
    const refusal = trailers.http2Refusal();
    if (refusal !== 0) return this.reply(502, refusalOf(refusal).reason);
    const encoder = this.#stream.openTrailers();
    if (encoder !== null) {
      trailers.http2Fields(encoder);
      this.#stream.sendTrailers();
    }
    this.#finish();
  }

  /** What is to be sent leaves with the turn anyway. */
  onReceived(): void {}

  onStreamFailed(failure: UpstreamFailure, sent: boolean): void {
    if (!this.#active) return;
    this.#upstream = null;
    this.#sent = sent;
    if (!this.responseStarted && this.#owner.dispatcher.failed(this, failure, sent)) return;
    this.reply(statusOfFailure(failure), failure);
  }

  onUpstreamDrain(): void {
    this.#release();
  }

  onDeadline(): void {
    this.reply(this.#read ? 504 : 408, this.#read ? "response_timeout" : "request_timeout");
  }

  /** Never at a server. */
  onResponse(): void {}

  onData(_stream: Http2Stream, bytes: Buffer, last: boolean): void {
    this.#keep();
    this.#read = last;
    this.requestBodyBytes += bytes.length;
    this.#unreleased += bytes.length;
    if (this.#upstream !== null) {
      this.#upstream.send(bytes, last);
      if (last) this.#flush();
      else this.#touch();
    } else if (this.#active) (this.#early ??= []).push(bytes);
    else this.#release();
  }

  onTrailers(_stream: Http2Stream, fields: FieldBlock): void {
    this.#read = true;
    const trailers = this.#owner.trailers.of(fields);
    if (this.#upstream !== null) {
      this.#upstream.sendTrailers(trailers);
      this.#flush();
    } else if (this.#active) this.#earlyTrailers = keptTrailers(trailers);
  }

  /** All of what came together was told. */
  flushRequest(): void {
    this.#told = false;
    this.#flush();
  }

  onDrain(): void {
    this.#upstream?.resume();
  }

  /** The caller does not want it any more, or is gone. */
  onReset(): void {
    if (this.reason === "") this.reason = this.#owner.reason;
    this.#cancelled();
  }

  #cancelled(): void {
    if (!this.#active) return;
    this.dropTry();
    this.#owner.dispatcher.cancelled(this);
    this.#finish();
  }

  #touch(): void {
    if (this.#told) return;
    this.#told = true;
    this.#owner.tellLater(this);
  }

  #flush(): void {
    const upstream = this.#upstream;
    if (upstream === null || upstream.flush()) this.#release();
  }

  #release(): void {
    const count = this.#unreleased;
    if (count === 0) return;
    this.#unreleased = 0;
    this.#stream.release(count);
  }

  #keep(): void {
    const { deadlines, limits } = this.#owner.context;
    this.deadlineMs = deadlines.nowMs + limits.streamIdleTimeoutMs;
  }

  #finish(): void {
    if (!this.#active) return;
    this.#active = false;
    this.#upstream = null;
    this.#owner.dispatcher.finished(this);
    this.#owner.finished(this);
    this.#early = null;
    this.#release();
  }
}
