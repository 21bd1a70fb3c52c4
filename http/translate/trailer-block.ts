// The trailer section of a chunked HTTP/1 message, gathered until it is whole and then made an HTTP/2 header block.
// The scanner has refused by then what may not be a trailer.
import { FieldIndex } from "../http1/field-index.ts";
import { STRIPPED } from "../http1/field-kind.ts";
import { LINE_END_BYTES } from "../http1/field-index.ts";
import type { HpackEncoder } from "../http2/hpack-encoder.ts";
import { listRefusal, putUncachedFields } from "./field-lines.ts";

const NO_BYTES = Buffer.alloc(0);

export class TrailerSection {
  #bytes: Buffer = NO_BYTES;
  // Most messages have no trailers, and most connections never see one.
  #fields: FieldIndex | null = null;

  reset(): void {
    this.#bytes = NO_BYTES;
  }

  /** Takes buffer[start, end) of the section; the scanner bounds how much there is. */
  add(buffer: Buffer, start: number, end: number): void {
    this.#bytes = Buffer.concat([this.#bytes, buffer.subarray(start, end)]);
  }

  /** As received, with the blank line. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** It has fields: the message ends with them, not with its content. */
  get present(): boolean {
    return this.#bytes.length > LINE_END_BYTES;
  }

  /** When it is whole: why it cannot go over HTTP/2, a refusal code, or 0. To be asked before `encode`. */
  read(): number {
    const bytes = this.#bytes;
    const fields = (this.#fields ??= new FieldIndex());
    fields.reset();
    const after = fields.scan(bytes, 0, bytes.length);
    return after < 0 ? after : listRefusal(bytes.length, fields.count, 0, []);
  }

  /** Puts what was read into `encoder`, which was begun. */
  encode(encoder: HpackEncoder): void {
    if (this.#fields !== null) putUncachedFields(encoder, this.#fields, this.#bytes, STRIPPED);
  }
}
