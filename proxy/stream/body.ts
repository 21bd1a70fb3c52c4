// Where a message's body ends in the bytes that come, whatever its framing, and what of it is content: one object per
// direction of a connection, used again for each message.
import { BODY } from "#/http/http1/framing.ts";
import type { BodyKind } from "#/http/http1/framing.ts";
import { ChunkedContent } from "#/http/translate/chunked-content.ts";
import type { ContentSink } from "#/http/translate/chunked-content.ts";
import { Http1Trailers } from "./http1-messages.ts";

export class Body {
  kind: BodyKind = BODY.none;
  readonly #sink: ContentSink;
  readonly #chunked: ChunkedContent;
  #remaining = 0;

  /** `sink` hears of content from within take(). */
  constructor(sink: ContentSink) {
    this.#sink = sink;
    this.#chunked = new ChunkedContent(sink);
  }

  begin(kind: BodyKind, length: number): void {
    this.kind = kind;
    this.#remaining = length;
    if (kind === BODY.chunked) this.#chunked.reset();
  }

  /** Takes what belongs to the body of buffer[start, end): the offset after it, or a refusal code. */
  take(buffer: Buffer, start: number): number {
    switch (this.kind) {
      case BODY.none:
        return start;
      case BODY.close:
        if (start < buffer.length) this.#sink(buffer, start, buffer.length);
        return buffer.length;
      case BODY.length: {
        const end = Math.min(start + this.#remaining, buffer.length);
        this.#remaining -= end - start;
        if (end > start) this.#sink(buffer, start, end);
        return end;
      }
      case BODY.chunked: {
        const count = this.#chunked.consume(buffer, start, buffer.length);
        return count < 0 ? count : start + count;
      }
      default:
        return this.kind satisfies never;
    }
  }

  /** In the sink: what it hears of is the last. Of a body in chunks that is only known after take(). */
  get last(): boolean {
    return this.kind === BODY.length && this.#remaining === 0;
  }

  /** After take(): all of it was taken. One that ends with the connection is complete when that ends. */
  get complete(): boolean {
    if (this.kind === BODY.length) return this.#remaining === 0;
    if (this.kind === BODY.chunked) return this.#chunked.done;
    return this.kind === BODY.none;
  }

  /** Of a complete body that has some, until the next one begins; else null. */
  get trailers(): Http1Trailers | null {
    if (this.kind !== BODY.chunked) return null;
    const { trailers } = this.#chunked;
    return trailers.present ? new Http1Trailers(trailers) : null;
  }
}
