// Finds a line of an HTTP/1 head that came before by its bytes as they were received, and has it ready as HTTP/2
// says it: name in lower case, with a number that every encoder remembers it by. One for all connections, since
// callers of one application say the same.
//
// Which line comes next is guessed first: the one that followed the last time. A right guess costs one comparison,
// a wrong one a look by a hash of some of the bytes. What is compared in the end is always every byte.
//
// A line is remembered when it comes a second time: what varies from message to message would only push out the
// others. Secrets are never handed to `remember`.
import type { FieldLine } from "../http2/field-line.ts";

/** Longer lines are no entries of a compression table either. Their received bytes. */
export const CACHED_BYTES_MAX = 1024;

/** Powers of two: lines that are remembered, and those that were seen once. */
const SLOTS = 512;
const SEEN_SLOTS = 2048;
/** In `#next`, the place for what comes first in a head. */
const HEAD_START = SLOTS;
const SAMPLES_BITS = 4;
const LAST_BYTES = 4;

class KnownLine {
  readonly raw: Uint8Array;
  readonly line: FieldLine;
  /** Was used since somebody else wanted its place. */
  used = false;

  constructor(raw: Uint8Array, line: FieldLine) {
    this.raw = raw;
    this.line = line;
  }
}

export class LineCache {
  /** After a `find` in vain: the line came before, and may be given to `remember`. */
  cameBefore = false;
  readonly #lines: (KnownLine | null)[] = Array.from({ length: SLOTS }, () => null);
  /** By the place of a line, that of the line which followed it the last time. */
  readonly #next = new Uint16Array(SLOTS + 1);
  /** Hashes of what was seen once. */
  readonly #seen = new Int32Array(SEEN_SLOTS);
  /** The place of the last line that was found. */
  #last = HEAD_START;
  #hash = 0;

  /** Before each head. */
  begin(): void {
    this.#last = HEAD_START;
  }

  /** The line that buffer[start, end) stands for, or null. */
  find(buffer: Uint8Array, start: number, end: number): FieldLine | null {
    const guessed = this.#next[this.#last]!;
    const guess = this.#lines[guessed]!;
    if (guess !== null && isSame(guess.raw, buffer, start, end)) {
      this.#last = guessed;
      guess.used = true;
      return guess.line;
    }
    return this.#look(buffer, start, end);
  }

  /** Keeps what buffer[start, end) stands for, right after a `find` of these bytes in vain. */
  remember(buffer: Uint8Array, start: number, end: number, line: FieldLine): void {
    const place = this.#hash & (SLOTS - 1);
    const present = this.#lines[place]!;
    if (present !== null && present.used) {
      // What is used stays until it was wanted away twice.
      present.used = false;
      return;
    }
    this.#lines[place] = new KnownLine(Uint8Array.prototype.slice.call(buffer, start, end), line);
    this.#follow(place);
  }

  #look(buffer: Uint8Array, start: number, end: number): FieldLine | null {
    this.cameBefore = false;
    if (end - start > CACHED_BYTES_MAX) return null;
    const hash = sampleHash(buffer, start, end);
    this.#hash = hash;
    const place = hash & (SLOTS - 1);
    const known = this.#lines[place]!;
    if (known !== null && isSame(known.raw, buffer, start, end)) {
      known.used = true;
      this.#follow(place);
      return known.line;
    }
    const seen = hash & (SEEN_SLOTS - 1);
    this.cameBefore = this.#seen[seen] === hash;
    this.#seen[seen] = hash;
    return null;
  }

  #follow(place: number): void {
    this.#next[this.#last] = place;
    this.#last = place;
  }
}

/** A number for buffer[start, end): its length, some of its bytes and its last ones. */
function sampleHash(buffer: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const step = (length >> SAMPLES_BITS) + 1;
  let hash = length;
  for (let at = start; at < end; at += step) hash = Math.imul(hash ^ buffer[at]!, 0x01000193);
  for (let at = Math.max(start, end - LAST_BYTES); at < end; at += 1) {
    hash = Math.imul(hash ^ buffer[at]!, 0x01000193);
  }
  return hash ^ (hash >>> 15);
}

function isSame(raw: Uint8Array, buffer: Uint8Array, start: number, end: number): boolean {
  const { length } = raw;
  if (end - start !== length) return false;
  for (let at = 0; at < length; at += 1) if (raw[at] !== buffer[start + at]) return false;
  return true;
}
