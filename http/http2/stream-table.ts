// The streams of one connection by their numbers (RFC 9113 section 5.1.1): clients open odd ones, in rising
// order; nobody opens even ones, since pushes are not taken.
import { ClosedStreams } from "./closed-streams.ts";
import type { Http2Stream } from "./stream.ts";

const STREAM_ID_MAX: number = 2 ** 31 - 1;

export class StreamTable {
  readonly live: Map<number, Http2Stream> = new Map();
  readonly #closed = new ClosedStreams();
  #lastId = 0;

  /** The highest number that was opened, by whichever end is the client; 0 before the first. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Marks an idle number as used, and with it all below. */
  open(id: number): void {
    this.#closed.advance(this.#lastId, id);
    this.#lastId = id;
  }

  /** Whether a number was not used yet. */
  isIdle(id: number): boolean {
    return (id & 1) === 0 || id > this.lastId;
  }

  /** The next number for a stream that we open, or 0 when there is none left. */
  nextId(): number {
    const next = this.lastId === 0 ? 1 : this.lastId + 2;
    return next > STREAM_ID_MAX ? 0 : next;
  }

  /** How a number that is neither idle nor live ended: one of CLOSED. */
  howClosed(id: number): number {
    return this.#closed.find(id, this.#lastId);
  }

  /** Marks a number as used that never was live, or no longer is. */
  close(id: number, how: number): void {
    this.live.delete(id);
    this.#closed.add(id, how);
  }
}
