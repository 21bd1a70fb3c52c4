// The content of a chunked HTTP/1 message out of its chunks: ranges of the received bytes. Small chunks are moved
// together where they lie, over the framing between them, so that a thousand of them do not become a thousand
// frames; large ones stay where they are. One for each direction of a connection, used again for each message.
import { ChunkedScanner } from "../http1/chunked.ts";
import type { ChunkedListener } from "../http1/chunked.ts";
import { TrailerSection } from "./trailer-block.ts";

/** Hears of content: buffer[start, end) of what `consume` was given, never empty. */
export type ContentSink = (buffer: Buffer, start: number, end: number) => void;

/** A larger chunk costs more to move than a frame of its own does. Bytes. */
const MOVED_BYTES_MAX = 4096;

const NO_BYTES = Buffer.alloc(0);

export class ChunkedContent implements ChunkedListener {
  /** Whole when `done`; see TrailerSection. */
  readonly trailers: TrailerSection = new TrailerSection();
  readonly #scanner = new ChunkedScanner(this);
  readonly #sink: ContentSink;
  #buffer: Buffer = NO_BYTES;
  /** What the sink has not heard of yet. */
  #start = 0;
  #end = 0;

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
   * afterwards), or a refusal code, which then stays until reset. The framing among these bytes is overwritten. When
   * the sink hears of the last content, `done` is true already if the end was among them; before a refusal in the
   * same bytes it may have heard of some.
   */
  consume(buffer: Buffer, start: number, end: number): number {
    this.#buffer = buffer;
    this.#start = start;
    this.#end = start;
    const taken = this.#scanner.consume(buffer, start, end);
    if (taken >= 0) this.#tell();
    this.#buffer = NO_BYTES;
    return taken;
  }

  onContent(start: number, end: number): void {
    if (this.#end > this.#start && end - start <= MOVED_BYTES_MAX) {
      this.#buffer.copyWithin(this.#end, start, end);
      this.#end += end - start;
      return;
    }
    this.#tell();
    this.#start = start;
    this.#end = end;
  }

  #tell(): void {
    if (this.#end > this.#start) this.#sink(this.#buffer, this.#start, this.#end);
  }

  onTrailers(start: number, end: number): void {
    this.trailers.add(this.#buffer, start, end);
  }
}
