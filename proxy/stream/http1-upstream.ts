// One HTTP/1.1 connection to an endpoint: carries one stream at a time. The response is framed
// strictly (a byte too many or a head that cannot be framed without doubt breaks the connection) and
// its content is handed on in views of what came.
import type { Socket } from "node:net";
import { BODY } from "#/http/http1/framing.ts";
import { METHOD } from "#/http/http1/method.ts";
import { MORE } from "#/http/http1/refusal.ts";
import { ResponseHead } from "#/http/http1/response-head.ts";
import { Body } from "./body.ts";
import { Http1Response } from "./http1-messages.ts";
import { MessageWriter } from "./message-writer.ts";
import { readFast } from "#/lib/fast-read.ts";
import type { Expiring } from "../net/deadline.ts";
import { reset } from "../net/reset.ts";
import { severedFor } from "../net/sever.ts";
import { isClosedByPeer } from "../net/tcp-state.ts";
import { plaintextFacts } from "./transport.ts";
import type { ConnectionFacts, OutgoingRequest, PoolContext, StreamSink } from "./transport.ts";
import type { Trailers, UpstreamFailure, UpstreamStream } from "./transport.ts";

/** Who keeps the connection between streams. */
export interface UpstreamOwner {
  readonly context: PoolContext;
  /** The stream is over and the connection may carry another. */
  release(connection: Http1Upstream): void;
  closed(connection: Http1Upstream): void;
}

const IDLE = 0;
const AWAIT_HEAD = 1;
const READ_BODY = 2;
const CLOSED = 3;

/** A response nobody wants any more is read to its end, up to so much, to keep the connection. */
const DISCARD_BYTES_MAX = 64 * 1024;
/** And for so long: who sends events for as long as somebody listens must learn that nobody does. */
const DISCARD_MS_MAX = 1_000;

const NO_BYTES = Buffer.alloc(0);

export class Http1Upstream implements UpstreamStream, Expiring {
  deadlineMs = 0;
  readonly facts: ConnectionFacts;
  readonly #pool: UpstreamOwner;
  readonly #socket: Socket;
  readonly #head = new ResponseHead();
  readonly #response = new Http1Response(this.#head);
  readonly #body = new Body((buffer, start, end) => this.#onContent(buffer, start, end));
  readonly #writer: MessageWriter;
  readonly #foreign: boolean;
  readonly #idleTimeoutMs: number;
  #sink: StreamSink | null = null;
  #state = IDLE;
  #requestDone = false;
  #sent = false;
  #discarding = false;
  #discarded = 0;
  #keepAlive = true;
  /** A head that came in pieces. */
  #held: Buffer | null = null;
  readonly #onClose = (): void => this.#broken(failureOf(this.#socket));

  constructor(pool: UpstreamOwner, socket: Socket, facts: ConnectionFacts) {
    this.#pool = pool;
    this.#socket = socket;
    this.#writer = new MessageWriter(socket);
    this.facts = facts;
    const { limits } = pool.context;
    this.#foreign = facts.identity === plaintextFacts.identity;
    this.#idleTimeoutMs = this.#foreign ? limits.foreignIdleTimeoutMs : limits.idleTimeoutMs;
    socket.on("data", (bytes: Buffer) => this.#data(bytes));
    readFast(socket);
    socket.on("drain", () => {
      this.#writer.drained();
      this.#sink?.onUpstreamDrain();
    });
    socket.on("end", () => this.#ended());
    socket.on("error", () => this.#broken("reset"));
    socket.on("close", this.#onClose);
    this.#touch(this.#idleTimeoutMs);
    pool.context.deadlines.add(this);
    // It may have ended before anybody listened, in the turn of its handshake.
    if (socket.readableEnded) process.nextTick(() => this.#ended());
  }

  /**
   * May another stream begin? Not on a connection whose certificates are ending, nor on one that has been
   * idle too long: a process that got no CPU hears of the next request before its sweep comes.
   */
  reusable(): boolean {
    if (this.#state !== IDLE || !this.#keepAlive || this.#socket.destroyed) return false;
    const { clock } = this.#pool.context;
    if (clock.monotonic() >= this.deadlineMs) return false;
    return this.facts.drainAtMs === 0 || clock.now() < this.facts.drainAtMs;
  }

  /**
   * The other end has closed it, and nobody here has read that yet: where there was no CPU, an answer and
   * the end behind it may both be seconds old. Not asked of sidecars, which keep it longer than we do.
   */
  closedByPeer(): boolean {
    return this.#foreign && isClosedByPeer(this.#socket);
  }

  begin(sink: StreamSink): void {
    this.#sink = sink;
    this.#state = AWAIT_HEAD;
    this.#requestDone = false;
    this.#sent = false;
    this.#discarding = false;
    this.#discarded = 0;
    this.#touch(this.#pool.context.limits.streamIdleTimeoutMs);
  }

  sendRequest(request: OutgoingRequest, last: boolean): void {
    this.#sent = true;
    this.#requestDone = last;
    this.#writer.head(request.http1Head(), request.bodyKind);
    if (last) this.#writer.end();
  }

  send(content: Buffer, last: boolean): void {
    if (this.#state === CLOSED) return;
    this.#touch(this.#pool.context.limits.streamIdleTimeoutMs);
    this.#writer.content(content, 0, content.length);
    if (!last) return;
    this.#writer.end();
    this.#requestDone = true;
  }

  sendTrailers(trailers: Trailers): void {
    const end = trailers.http1End();
    if (typeof end === "number") return this.#broken("request_invalid");
    this.#writer.trailers(end);
    this.#requestDone = true;
  }

  flush(): boolean {
    return this.#state === CLOSED || this.#writer.flush();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  abandon(): void {
    this.#sink = null;
    this.#socket.resume();
    if (this.#state === CLOSED || this.#state === IDLE) return;
    if (!this.#requestDone || this.#state === AWAIT_HEAD) this.close("abandoned");
    else {
      this.#discarding = true;
      this.#touch(DISCARD_MS_MAX);
    }
  }

  detach(): Socket {
    const socket = this.#socket;
    this.#pool.context.deadlines.remove(this);
    for (const event of ["data", "drain", "end", "error"]) socket.removeAllListeners(event);
    // Whoever bounds the connection's life goes on listening.
    socket.off("close", this.#onClose);
    this.#sink = null;
    this.#state = CLOSED;
    this.#pool.closed(this);
    return socket;
  }

  close(how: "drained" | "abandoned"): void {
    if (this.#state === CLOSED) return;
    if (how === "drained" && this.#certificateEnding()) {
      this.#pool.context.onCertificateEnd("drained");
    }
    this.#over();
    this.#drop();
  }

  onDeadline(): void {
    if (this.#state === IDLE) {
      if (this.#certificateEnding()) this.#pool.context.onCertificateEnd("idle");
      this.#over();
      this.#socket.end();
      this.#socket.destroySoon();
    } else this.#broken("response_timeout");
  }

  #certificateEnding(): boolean {
    return this.facts.drainAtMs !== 0 && this.#pool.context.clock.now() >= this.facts.drainAtMs;
  }

  /** The next deadline: silence, or of an idle one that its certificates are ending. */
  #touch(timeoutMs: number): void {
    const { clock, deadlines } = this.#pool.context;
    if (this.#state !== IDLE) {
      this.deadlineMs = deadlines.nowMs + timeoutMs;
      return;
    }
    // By the exact clock: `nowMs` is a sweep old, and more where there is no CPU.
    const now = clock.monotonic();
    const { drainAtMs } = this.facts;
    const leftMs = drainAtMs === 0 ? timeoutMs : Math.max(1, drainAtMs - clock.now() + 1);
    this.deadlineMs = now + Math.min(timeoutMs, leftMs);
  }

  #data(bytes: Buffer): void {
    this.#read(bytes);
    this.#sink?.onReceived();
  }

  #read(received: Buffer): void {
    let bytes = received;
    let offset = 0;
    while (offset < bytes.length || this.#held !== null) {
      if (this.#state === AWAIT_HEAD) {
        if (this.#held !== null) {
          bytes = Buffer.concat([this.#held, bytes]);
          offset = 0;
        }
        offset = this.#readHead(bytes, offset);
        if (offset < 0) return;
      } else if (this.#state === READ_BODY) offset = this.#readBody(bytes, offset);
      else {
        // Bytes that no request asked for: nothing on this connection can be trusted any more.
        if (this.#state === IDLE) this.close("abandoned");
        return;
      }
    }
  }

  /** The offset after what was used, or -1 when there is nothing more to do with these bytes. */
  #readHead(bytes: Buffer, start: number): number {
    const head = this.#head;
    const sink = this.#sink;
    if (this.#held === null) head.reset(sink?.method ?? METHOD.get, sink?.websocket ?? false);
    const headEnd = head.parse(bytes, start, bytes.length);
    if (headEnd === MORE) {
      if (start !== 0) head.reset(sink?.method ?? METHOD.get, sink?.websocket ?? false);
      this.#held = start === 0 ? bytes : bytes.subarray(start);
      return -1;
    }
    this.#held = null;
    if (headEnd < 0) {
      this.#broken("response_invalid");
      return -1;
    }
    if (head.interim) {
      sink?.onInterim(this.#response);
      return headEnd;
    }
    return this.#startBody(bytes, headEnd);
  }

  #startBody(bytes: Buffer, headEnd: number): number {
    const head = this.#head;
    const response = this.#response;
    this.#keepAlive = head.keepAlive;
    if (head.switching) {
      response.early = bytes.subarray(headEnd);
      this.#sink?.onResponseHead(response, false);
      return -1;
    }
    this.#state = READ_BODY;
    this.#body.begin(head.bodyKind, head.contentLength);
    if (head.bodyKind !== BODY.none) {
      this.#sink?.onResponseHead(response, false);
      return headEnd;
    }
    this.#responseDone(headEnd === bytes.length);
    this.#sink?.onResponseHead(response, true);
    this.#streamOver();
    return headEnd;
  }

  #readBody(bytes: Buffer, offset: number): number {
    const body = this.#body;
    if (!this.#discarding) this.#touch(this.#pool.context.limits.streamIdleTimeoutMs);
    const end = body.take(bytes, offset);
    if (end < 0) {
      this.#broken("response_invalid");
      return bytes.length;
    }
    if (!body.complete) return end;
    if (body.kind === BODY.chunked) {
      const { trailers } = body;
      this.#responseDone(end === bytes.length);
      if (trailers === null) this.#sink?.onResponseContent(NO_BYTES, 0, 0, true);
      else this.#sink?.onResponseTrailers(trailers);
    }
    this.#streamOver();
    return end;
  }

  #onContent(bytes: Buffer, start: number, end: number): void {
    const { last } = this.#body;
    if (this.#discarding) this.#discard(end - start);
    if (last) this.#responseDone(end === bytes.length);
    this.#sink?.onResponseContent(bytes, start, end, last);
  }

  #discard(count: number): void {
    this.#discarded += count;
    if (this.#discarded > DISCARD_BYTES_MAX) this.close("abandoned");
  }

  /** `alone`: nothing came behind it. What did is no answer to whoever waits for the connection. */
  #responseDone(alone: boolean): void {
    if (this.#state === CLOSED) return;
    this.#state = IDLE;
    if (!alone) this.#keepAlive = false;
    this.#touch(this.#idleTimeoutMs);
  }

  /** After the sink has heard of the end: free for the next stream, if the request went out whole. */
  #streamOver(): void {
    this.#sink = null;
    if (this.#state !== IDLE) return;
    if (this.#requestDone) this.#release();
    else this.close("abandoned");
  }

  #release(): void {
    // Its last bytes may have filled the caller's socket: whoever comes next must not wait for that.
    if (this.#socket.isPaused()) this.#socket.resume();
    if (this.#keepAlive) this.#pool.release(this);
    else this.close("drained");
  }

  #ended(): void {
    if (this.#state === READ_BODY && this.#body.kind === BODY.close) {
      const sink = this.#sink;
      this.#over();
      this.#socket.destroy();
      sink?.onResponseContent(NO_BYTES, 0, 0, true);
    } else this.#broken("ended");
  }

  #broken(failure: UpstreamFailure): void {
    if (this.#state === CLOSED) return;
    const sink = this.#sink;
    const sent = this.#sent;
    this.#over();
    this.#drop();
    sink?.onStreamFailed(failure, sent);
  }

  /** An endpoint may take a request that ends in a FIN for a whole one, and act on half of it. */
  #drop(): void {
    if (this.#sent && !this.#requestDone) reset(this.#socket);
    else this.#socket.destroy();
  }

  #over(): void {
    this.#state = CLOSED;
    this.#sink = null;
    this.#pool.context.deadlines.remove(this);
    this.#pool.closed(this);
  }
}

/** A connection that was closed without a word of HTTP. */
function failureOf(socket: Socket): UpstreamFailure {
  const reason = severedFor(socket);
  const isMustNot = reason === "identity_suspended" || reason === "trust_domain_not_federated";
  return isMustNot ? reason : "reset";
}
