// How the streams that were closed last ended: what may still come for a stream depends on it (RFC 9113
// section 5.1). One place for each of so many numbers in a row, so that a stream is forgotten when one so
// much later is closed.

export const CLOSED = {
  /** Not remembered: ended long ago, or never opened although a later one was. */
  unknown: 0,
  /** Both ends said END_STREAM. */
  ended: 1,
  /** The peer reset it: nothing may come any more. */
  resetByPeer: 2,
  /** We reset it: what the peer sent before it heard of that still comes. */
  resetByUs: 3,
} as const;

const PLACES = 256;

export class ClosedStreams {
  readonly #ids = new Int32Array(PLACES);
  readonly #how = new Uint8Array(PLACES);

  add(streamId: number, how: number): void {
    const place = (streamId >>> 1) & (PLACES - 1);
    this.#ids[place] = streamId;
    this.#how[place] = how;
  }

  /** One of CLOSED. */
  find(streamId: number): number {
    const place = (streamId >>> 1) & (PLACES - 1);
    return this.#ids[place] === streamId ? this.#how[place]! : CLOSED.unknown;
  }
}
