// Where a message's body ends in the bytes that come, whatever its framing: one object per direction of
// a connection, used again for each message.
import { ChunkedScanner } from "../http1/chunked.ts";
import { BODY } from "../http1/framing.ts";
import type { BodyKind } from "../http1/framing.ts";

export class Body {
  kind: BodyKind = BODY.none;
  readonly #chunked = new ChunkedScanner();
  #remaining = 0;

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
        return buffer.length;
      case BODY.length: {
        const count = Math.min(this.#remaining, buffer.length - start);
        this.#remaining -= count;
        return start + count;
      }
      case BODY.chunked: {
        const count = this.#chunked.consume(buffer, start, buffer.length);
        return count < 0 ? count : start + count;
      }
      default:
        return this.kind satisfies never;
    }
  }

  /** All of it was taken. One that ends with the connection is complete when that ends. */
  get complete(): boolean {
    if (this.kind === BODY.length) return this.#remaining === 0;
    if (this.kind === BODY.chunked) return this.#chunked.done;
    return this.kind === BODY.none;
  }
}
