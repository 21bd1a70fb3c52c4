// The content of the request that is on an HTTP/1.1 connection: read strictly, sent on as it comes, and kept while the
// request may have to be sent again.
import { BODY } from "#/http/http1/framing.ts";
import type { RequestHead } from "#/http/http1/request-head.ts";
import { Body } from "./body.ts";
import { Replay } from "./replay.ts";
import type { OutgoingRequest, UpstreamStream } from "./transport.ts";

const NO_BYTES = Buffer.alloc(0);

export class RequestContent {
  /** Where it goes; null while there is no stream, and it is only kept. */
  upstream: UpstreamStream | null = null;
  /** Bytes that came so far, framing not counted. */
  bytes = 0;
  /** All of it was read. */
  complete = true;
  readonly #body = new Body((buffer, start, end) => this.#pass(buffer, start, end));
  readonly #replay: Replay;

  constructor(replayBytesMax: number) {
    this.#replay = new Replay(replayBytesMax);
  }

  /** All of it is here, from its first byte. */
  get replayable(): boolean {
    return this.#replay.whole;
  }

  /** Nothing more should be read before a stream takes what is here. */
  get full(): boolean {
    return this.upstream === null && this.#replay.full;
  }

  begin(head: RequestHead): void {
    this.#body.begin(head.bodyKind, head.contentLength);
    this.complete = this.#body.complete;
    this.#replay.begin(head.end - head.start);
  }

  /** Takes what belongs to it of buffer[start, end): the offset after it, or a refusal code. */
  take(buffer: Buffer, start: number): number {
    const body = this.#body;
    const end = body.take(buffer, start);
    if (end < 0 || !body.complete) return end;
    this.complete = true;
    if (body.kind !== BODY.chunked) return end;
    const { trailers } = body;
    if (trailers === null) this.upstream?.send(NO_BYTES, true);
    else {
      this.#replay.addTrailers(trailers);
      this.upstream?.sendTrailers(trailers);
    }
    return end;
  }

  /** Sends `request` and what is here of its content on `stream`, and on what comes. */
  sendTo(stream: UpstreamStream, request: OutgoingRequest): void {
    this.upstream = stream;
    this.#replay.sendTo(stream, request, this.complete);
  }

  clear(): void {
    this.upstream = null;
    this.#replay.clear();
  }

  #pass(buffer: Buffer, start: number, end: number): void {
    const content = buffer.subarray(start, end);
    this.bytes += content.length;
    this.#replay.add(content, this.upstream === null);
    this.upstream?.send(content, this.#body.last);
  }
}
