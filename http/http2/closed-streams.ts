// How the streams that were closed last ended: what may still come for a stream depends on it (RFC 9113
// section 5.1). One byte for each of so many numbers before the last one that was opened.

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

/** At 10,000 streams a second 0.4 s: longer than what was sent before a reset was heard of is under way. */
const PLACES = 4096;
const NO_PLACES: Uint8Array = new Uint8Array(0);

export class ClosedStreams {
  /** Made when the first stream closes. */
  #how: Uint8Array = NO_PLACES;

  add(streamId: number, how: number): void {
    if (this.#how === NO_PLACES) this.#how = new Uint8Array(PLACES);
    this.#how[placeOf(streamId)] = how;
  }

  /** The numbers after `lastId` up to `streamId` take the places of those so much before them. */
  advance(lastId: number, streamId: number): void {
    if (this.#how === NO_PLACES) return;
    const from = Math.max(lastId, streamId - 2 * PLACES);
    for (let id = streamId; id > from; id -= 2) this.#how[placeOf(id)] = CLOSED.unknown;
  }

  /** One of CLOSED, of a number up to the last one that was opened. */
  find(streamId: number, lastId: number): number {
    if (this.#how === NO_PLACES || lastId - streamId >= 2 * PLACES) return CLOSED.unknown;
    return this.#how[placeOf(streamId)]!;
  }
}

function placeOf(streamId: number): number {
  return (streamId >>> 1) & (PLACES - 1);
}
