// One request on a connection to another sidecar, as whoever sends it sees it.
import type { Socket } from "node:net";
import type { Http2Connection } from "#/http/http2/connection.ts";
import { ERROR } from "#/http/http2/error-code.ts";
import type { FieldBlock } from "#/http/http2/field-block.ts";
import type { ResponseFields } from "#/http/http2/response-fields.ts";
import type { Http2Stream, StreamEnd, StreamListener } from "#/http/http2/stream.ts";
import { severedFor } from "../../net/sever.ts";
import type { ConnectionFacts, OutgoingRequest, StreamSink, Trailers } from "../transport.ts";
import type { UpstreamFailure, UpstreamStream } from "../transport.ts";
import type { Http2Response, Http2Trailers } from "./messages.ts";

/** The connection that it is on, as a stream knows it. */
export interface ClientStreamOwner {
  readonly facts: ConnectionFacts;
  readonly connection: Http2Connection;
  readonly socket: Socket;
  readonly response: Http2Response;
  readonly trailers: Http2Trailers;
  /** Calls back the stream's onReceived() later in this turn, when all that came together was told. */
  tellLater(stream: ClientStream): void;
}

export class ClientStream implements UpstreamStream, StreamListener {
  readonly #owner: ClientStreamOwner;
  #sink: StreamSink | null;
  #stream: Http2Stream | null = null;
  #requestDone = false;
  #paused = false;
  /** Bytes of content that the sink has taken and the peer was not told of. */
  #unreleased = 0;
  /** The sink is to be told when all of what came together was told. */
  #told = false;

  constructor(owner: ClientStreamOwner, sink: StreamSink) {
    this.#owner = owner;
    this.#sink = sink;
  }

  get facts(): ConnectionFacts {
    return this.#owner.facts;
  }

  sendRequest(request: OutgoingRequest, last: boolean): void {
    const { connection } = this.#owner;
    const encoder = connection.openRequest();
    if (encoder === null) return this.#fail("reset", false);
    request.http2Head(encoder);
    this.#requestDone = last;
    this.#stream = connection.request(this, request.method, last);
  }

  send(content: Buffer, last: boolean): void {
    this.#requestDone = last;
    this.#stream?.send(content, last);
  }

  sendTrailers(trailers: Trailers): void {
    this.#requestDone = true;
    const stream = this.#stream;
    if (stream === null) return;
    if (trailers.http2Refusal() !== 0) {
      stream.reset(ERROR.cancel);
      return this.#fail("request_invalid", true);
    }
    const encoder = stream.openTrailers();
    if (encoder === null) return;
    trailers.http2Fields(encoder);
    stream.sendTrailers();
  }

  flush(): boolean {
    // Of a whole request nothing more is to be read; the caller's end is.
    return this.#requestDone || this.#stream === null || this.#stream.queuedBytes === 0;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (this.#unreleased === 0) return;
    this.#stream?.release(this.#unreleased);
    this.#unreleased = 0;
  }

  abandon(): void {
    this.#sink = null;
    this.#stream?.reset(ERROR.cancel);
    this.#stream = null;
  }

  detach(): Socket {
    throw new Error("Assertion failed: a stream of HTTP/2 never switches protocols");
  }

  /** All of what came together was told. */
  onReceived(): void {
    this.#told = false;
    this.#sink?.onReceived();
  }

  onResponse(stream: Http2Stream, response: ResponseFields, last: boolean): void {
    const sink = this.#sink;
    const head = this.#owner.response.of(response, stream.method, last);
    this.#touch();
    if (response.interim) sink?.onInterim(head);
    else sink?.onResponseHead(head, last);
    if (last) this.#end();
  }

  onData(stream: Http2Stream, bytes: Buffer, last: boolean): void {
    this.#touch();
    this.#sink?.onResponseContent(bytes, 0, bytes.length, last);
    if (this.#paused) this.#unreleased += bytes.length;
    else stream.release(bytes.length);
    if (last) this.#end();
  }

  onTrailers(_stream: Http2Stream, fields: FieldBlock): void {
    this.#sink?.onResponseTrailers(this.#owner.trailers.of(fields));
    this.#end();
  }

  onDrain(): void {
    this.#sink?.onUpstreamDrain();
  }

  onReset(_stream: Http2Stream, end: StreamEnd): void {
    this.#stream = null;
    this.#fail(failureOf(end, this.#owner.socket), !end.unprocessed);
  }

  #touch(): void {
    if (this.#told) return;
    this.#told = true;
    this.#owner.tellLater(this);
  }

  /** The response is whole. A request that is not goes on for nobody. */
  #end(): void {
    this.#sink = null;
    if (!this.#requestDone) this.#stream?.reset(ERROR.cancel);
    this.#stream = null;
  }

  #fail(failure: UpstreamFailure, sent: boolean): void {
    const sink = this.#sink;
    this.#sink = null;
    sink?.onStreamFailed(failure, sent);
  }
}

function failureOf({ by, fault }: StreamEnd, socket: Socket): UpstreamFailure {
  if (by === "us") return fault === "send_stalled" ? "reset" : "response_invalid";
  if (by === "peer") return "reset";
  const reason = severedFor(socket);
  const isMustNot = reason === "identity_suspended" || reason === "trust_domain_not_federated";
  return isMustNot ? reason : "reset";
}
