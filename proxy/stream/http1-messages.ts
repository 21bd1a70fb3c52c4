// HTTP/1 heads as the seam has them: over the index of what was received, nothing copied. One of each for a
// connection, used again for every message on it.
import { KIND, STRIPPED } from "#/http/http1/field-kind.ts";
import { BODY } from "#/http/http1/framing.ts";
import type { BodyKind } from "#/http/http1/framing.ts";
import type { MethodCode } from "#/http/http1/method.ts";
import type { RequestHead } from "#/http/http1/request-head.ts";
import type { ResponseHead } from "#/http/http1/response-head.ts";
import { linesOf, requestBytes, responseBytes } from "#/http/http1/writer.ts";
import type { Lines } from "#/http/http1/writer.ts";
import type { HpackEncoder } from "#/http/http2/hpack-encoder.ts";
import { LineCache } from "#/http/translate/line-cache.ts";
import { encodeRequest, requestRefusal } from "#/http/translate/request-block.ts";
import { encodeResponse, responseRefusal } from "#/http/translate/response-block.ts";
import type { TrailerSection } from "#/http/translate/trailer-block.ts";
import type { IncomingResponse, OutgoingRequest, Switching, Trailers } from "./transport.ts";

/** What sidecars add to each other's messages: nothing. Who faces an application says what it has to. */
const NOTHING_ADDED = [] as const;

const NO_BYTES = Buffer.alloc(0);
const CLOSE = linesOf("connection: close");
const LAST_SIZE = Buffer.from("0\r\n", "latin1");

/** Lines of all connections of the process. */
const requestLines = new LineCache();
const responseLines = new LineCache();

export class Http1Request implements OutgoingRequest {
  readonly #head: RequestHead;
  readonly #added: Lines | null;

  /** `added` to it where it goes on as HTTP/1. */
  constructor(head: RequestHead, added: Lines | null) {
    this.#head = head;
    this.#added = added;
  }

  get method(): MethodCode {
    return this.#head.method;
  }

  get bodyKind(): BodyKind {
    return this.#head.bodyKind;
  }

  http1Head(): Buffer {
    return requestBytes(this.#head, this.#added);
  }

  /** Why HTTP/2 cannot say it: a refusal code, or 0. */
  get http2Refusal(): number {
    return requestRefusal(this.#head, NOTHING_ADDED);
  }

  http2Head(encoder: HpackEncoder): void {
    encodeRequest(encoder, requestLines, this.#head, NOTHING_ADDED);
  }
}

export class Http1Response implements IncomingResponse {
  /** What came behind a 101. */
  early: Buffer = NO_BYTES;
  readonly #head: ResponseHead;

  constructor(head: ResponseHead) {
    this.#head = head;
  }

  get status(): number {
    return this.#head.line.status;
  }

  get switching(): Switching | null {
    return this.#head.switching ? { head: this.#head, early: this.early } : null;
  }

  /** A caller of HTTP/1.0 knows no chunks (RFC 9112 section 6.1). */
  bodyFor(minor: 0 | 1): BodyKind {
    const { bodyKind } = this.#head;
    return bodyKind === BODY.chunked && minor === 0 ? BODY.close : bodyKind;
  }

  http1Head(body: BodyKind, closes: boolean): Buffer {
    const unchunked = body !== BODY.chunked && this.#head.bodyKind === BODY.chunked;
    const stripped = unchunked ? STRIPPED | (1 << KIND.transferEncoding) : STRIPPED;
    return responseBytes(this.#head, closes ? CLOSE : null, stripped);
  }

  get http2Refusal(): number {
    return responseRefusal(this.#head, NOTHING_ADDED);
  }

  http2Head(encoder: HpackEncoder): void {
    encodeResponse(encoder, responseLines, this.#head, NOTHING_ADDED);
  }
}

/** The trailers of a body in chunks, while that is the last one that was read. */
export class Http1Trailers implements Trailers {
  readonly #section: TrailerSection;

  constructor(section: TrailerSection) {
    this.#section = section;
  }

  http1End(): Buffer {
    return Buffer.concat([LAST_SIZE, this.#section.bytes]);
  }

  http2Refusal(): number {
    return this.#section.read();
  }

  http2Fields(encoder: HpackEncoder): void {
    this.#section.encode(encoder);
  }
}
