// The content of a chunked HTTP/1 message out of its chunks: ranges of the received bytes, nothing copied. One for
// each direction of a connection, used again for each message.
import { ChunkedScanner } from "../http1/chunked.ts";
import type { ChunkedListener } from "../http1/chunked.ts";
import { TrailerSection } from "./trailer-block.ts";

/** Hears of content: buffer[start, end) of what `consume` was given, never empty. */
export type ContentSink = (buffer: Buffer, start: number, end: number) => void;

const NO_BYTES = Buffer.alloc(0);

export class ChunkedContent implements ChunkedListener {
  /** Whole when `done`; see TrailerSection. */
  readonly trailers: TrailerSection = new TrailerSection();
  readonly #scanner = new ChunkedScanner(this);
  readonly #sink: ContentSink;
  #buffer: Buffer = NO_BYTES;

  /** `sink` is called from within `consume` and must not call it. */
  constructor(sink: ContentSink) {
    this.#sink = sink;
  }

  /** The whole message, trailers included, was consumed. */
  get done(): boolean {
    return this.#scanner.done;
  }

  /** Bytes of content so far. */
  get contentBytes(): number {
    return this.#scanner.contentBytes;
  }

  reset(): void {
    this.#scanner.reset();
    this.trailers.reset();
  }

  /**
   * Takes buffer[start, end): the number of bytes that belong to the message (all of them unless `done` is true
   * afterwards), or a refusal code, which then stays until reset. The sink may have heard of content before a
   * refusal in the same bytes.
   */
  consume(buffer: Buffer, start: number, end: number): number {
    this.#buffer = buffer;
    const taken = this.#scanner.consume(buffer, start, end);
    this.#buffer = NO_BYTES;
    return taken;
  }

  onContent(start: number, end: number): void {
    this.#sink(this.#buffer, start, end);
  }

  onTrailers(start: number, end: number): void {
    this.trailers.add(this.#buffer, start, end);
  }
}
