// Bytes -> lines, however they are cut. A line above the limit is dropped whole and told of; the ones
// after it are read again. Pure but for its buffer.

/** One JSON object a line; the API server itself keeps objects below 1.5 MiB. */
export const lineBytesMax = 2_097_152;

export interface LineHandlers {
  onLine(text: string): void;
  onTooLong(): void;
}

export class LineReader {
  readonly #handlers: LineHandlers;
  readonly #max: number;
  #parts: Buffer[] = [];
  #length = 0;
  #isSkipping = false;

  constructor(handlers: LineHandlers, max: number = lineBytesMax) {
    this.#handlers = handlers;
    this.#max = max;
  }

  push(chunk: Buffer): void {
    let start = 0;
    while (start < chunk.length) {
      const end = chunk.indexOf(newline, start);
      this.#add(chunk.subarray(start, end === -1 ? chunk.length : end));
      if (end === -1) return;
      this.#finish();
      start = end + 1;
    }
  }

  #add(part: Buffer): void {
    if (this.#isSkipping || part.length === 0) return;
    this.#length += part.length;
    if (this.#length > this.#max) {
      this.#isSkipping = true;
      this.#parts = [];
      return;
    }
    this.#parts.push(part);
  }

  #finish(): void {
    const isTooLong = this.#isSkipping;
    const text = Buffer.concat(this.#parts).toString("utf8");
    this.#parts = [];
    this.#length = 0;
    this.#isSkipping = false;
    if (isTooLong) this.#handlers.onTooLong();
    else if (text.trim() !== "") this.#handlers.onLine(text);
  }
}

const newline = 0x0a;
