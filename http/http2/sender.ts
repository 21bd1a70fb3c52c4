// What a connection sends: frames in the order in which they may go, within the windows that the peer
// gives. Streams that wait take turns by frame, so that a long one does not hold up a short one.
import { FRAME_BYTES_MAX } from "./frame.ts";
import { writeData, writeHeaders } from "./frame-writer.ts";
import { HpackEncoder } from "./hpack-encoder.ts";
import { OUTPUT_BYTES_MAX } from "./limits.ts";
import { Output } from "./output.ts";
import { WINDOW_BYTES_DEFAULT, WINDOW_BYTES_MAX } from "./settings.ts";

/** The sending half of a stream. */
export interface Outgoing {
  readonly id: number;
  /** Bytes that the peer will take; negative after it made its windows smaller. */
  sendWindow: number;
  /** Content that waits: parts, where the first one begins, and bytes of all. */
  queue: Buffer[];
  queueOffset: number;
  queuedBytes: number;
  /** After the queue: nothing, END_STREAM, or trailers (a block that needs no table). */
  queueEnd: boolean;
  trailers: Buffer | null;
  /** Stands in the row of those that take turns; the next one there. */
  inRow: boolean;
  nextInRow: Outgoing | null;
  /** When the peer last took something. */
  progressMs: number;
  /** The queue is empty. */
  onSent(ended: boolean): void;
}

/** The queue of a stream that never had to wait: most of them. Nothing is put into it. */
export const NO_QUEUE: Buffer[] = [];

/** Encodes blocks that can be sent later: they need nothing of any table. Used for a whole block at once. */
const timeless = new HpackEncoder();
timeless.resize(0);
timeless.begin();

export class Sender {
  readonly output: Output = new Output();
  readonly encoder: HpackEncoder = new HpackEncoder();
  /** Bytes that the peer will take on all streams. */
  window: number = WINDOW_BYTES_DEFAULT;
  /** The socket takes nothing more for now: no content is added to the output. */
  blocked = false;
  /** The time that the shell told last. */
  nowMs = 0;
  /** Frames of content written so far. */
  dataFrames = 0;
  #first: Outgoing | null = null;
  #last: Outgoing | null = null;

  /** Writes what `encoder` holds as the head of a stream. */
  sendHead(stream: Outgoing, last: boolean): void {
    const { encoder } = this;
    writeHeaders(this.output, stream.id, last, encoder.bytes, encoder.length, FRAME_BYTES_MAX);
  }

  /** Where to put trailers of a stream: begun already. */
  trailersEncoder(stream: Outgoing): HpackEncoder {
    const encoder = stream.queuedBytes === 0 ? this.encoder : timeless;
    encoder.begin();
    return encoder;
  }

  /** Sends what trailersEncoder's answer now holds, after the content that waits. */
  sendTrailers(stream: Outgoing): void {
    if (stream.queuedBytes === 0) {
      this.sendHead(stream, true);
      return;
    }
    stream.trailers = Buffer.from(timeless.bytes.subarray(0, timeless.length));
    stream.queueEnd = true;
  }

  /** Sends or queues content, which must not change before it was sent. True when nothing waits. */
  sendData(stream: Outgoing, bytes: Buffer, last: boolean): boolean {
    let start = 0;
    if (stream.queuedBytes === 0) {
      const alone = this.#first === null && !this.blocked;
      if (alone && this.output.length < OUTPUT_BYTES_MAX) {
        // One frame at once; what is more waits for its turn.
        start = Math.max(
          0,
          Math.min(bytes.length, FRAME_BYTES_MAX, stream.sendWindow, this.window),
        );
      }
      if (start === bytes.length) {
        this.#writeData(stream, bytes, 0, start, last);
        return true;
      }
      if (start > 0) this.#writeData(stream, bytes, 0, start, false);
      stream.queueOffset = start;
      stream.progressMs = this.nowMs;
    }
    if (stream.queue === NO_QUEUE) stream.queue = [];
    stream.queue.push(bytes);
    stream.queuedBytes += bytes.length - start;
    stream.queueEnd = last;
    this.ready(stream);
    return false;
  }

  /** Lets a stream take its turn if it has something to send and may. */
  ready(stream: Outgoing): void {
    if (stream.inRow || stream.queuedBytes === 0 || stream.sendWindow <= 0) return;
    stream.inRow = true;
    stream.nextInRow = null;
    if (this.#last === null) this.#first = stream;
    else this.#last.nextInRow = stream;
    this.#last = stream;
  }

  /** Nothing more is sent of a stream. */
  drop(stream: Outgoing): void {
    stream.queue = NO_QUEUE;
    stream.queuedBytes = 0;
    stream.queueEnd = false;
    stream.trailers = null;
  }

  /** The peer takes more on all streams. False when that is too much. */
  grow(increment: number): boolean {
    this.window += increment;
    return this.window <= WINDOW_BYTES_MAX;
  }

  /** Whether something waits that may go now. */
  get waits(): boolean {
    return this.#first !== null && this.window > 0;
  }

  /** Moves what waits to the output, a frame of each stream in turn, until that is full. */
  pump(): void {
    while (
      this.#first !== null &&
      this.window > 0 &&
      !this.blocked &&
      this.output.length < OUTPUT_BYTES_MAX
    ) {
      const stream = this.#first;
      this.#first = stream.nextInRow;
      if (this.#first === null) this.#last = null;
      stream.inRow = false;
      stream.nextInRow = null;
      if (stream.queuedBytes > 0) this.#sendTurn(stream);
    }
  }

  /** One frame of a stream. A frame does not span two parts of its queue. */
  #sendTurn(stream: Outgoing): void {
    const part = stream.queue[0]!;
    const start = stream.queueOffset;
    const most = Math.min(FRAME_BYTES_MAX, stream.sendWindow, this.window);
    if (most <= 0) return;
    const end = Math.min(part.length, start + most);
    stream.queuedBytes -= end - start;
    const done = stream.queuedBytes === 0;
    const ends = done && stream.queueEnd && stream.trailers === null;
    this.#writeData(stream, part, start, end, ends);
    stream.progressMs = this.nowMs;
    stream.queueOffset = end;
    if (end === part.length) {
      stream.queue.shift();
      stream.queueOffset = 0;
    }
    if (!done) {
      this.ready(stream);
      return;
    }
    // Parts without content may be left.
    stream.queue.length = 0;
    const { queueEnd, trailers } = stream;
    stream.trailers = null;
    stream.queueEnd = false;
    if (trailers !== null) {
      this.encoder.begin();
      this.encoder.raw(trailers);
      this.sendHead(stream, true);
    }
    stream.onSent(queueEnd);
  }

  #writeData(stream: Outgoing, bytes: Buffer, start: number, end: number, last: boolean): void {
    writeData(this.output, stream.id, last, bytes, start, end);
    stream.sendWindow -= end - start;
    this.window -= end - start;
    this.dataFrames += 1;
  }
}
