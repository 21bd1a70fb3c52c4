// The dynamic table of an encoder (RFC 7541 section 2.3.2), found by what its lines say. An entry is
// known by its serial number: 0 for the first that was ever inserted.
import { TABLE_BYTES_MAX, TABLE_ENTRIES_MAX } from "./limits.ts";
import { nameHash } from "./name-index.ts";
import { STATIC_ENTRIES } from "./static-table.ts";

const ENTRY_BYTES = 32;
/** A longer line would push out too much of what is more useful. Its text, bytes. */
const LINE_BYTES_MAX = TABLE_BYTES_MAX / 4;
/** A power of two. */
const ENTRY_SLOTS = TABLE_ENTRIES_MAX;
/** Numbers of one entry: where its text lies, the lengths of its parts, the hashes of line and name. */
const STRIDE = 5;
/** Twice the table: then what is live moves back to the beginning. */
const LOG_BYTES = 2 * TABLE_BYTES_MAX;
const LOG_BYTES_FIRST = 1024;
const NONE: Int32Array = new Int32Array(0);
const NO_BYTES: Uint8Array = new Uint8Array(0);

// Lines and names are looked for in PROBES places from where their hash points. What is not found there
// although it is in the table is only written again.
const LINE_SLOTS = 512;
const NAME_SLOTS = 128;
const PROBES = 4;
/** Of a value, so many bytes at its beginning and at its end go into its hash. */
const SAMPLED_BYTES = 8;

export const NOT_FOUND = -1;

/** A number for a line. Lines that differ only inside long values share it: whoever finds by it compares. */
export function lineHash(name: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = Math.imul(name ^ (end - start), 0x01000193);
  const middle = Math.min(end, start + SAMPLED_BYTES);
  for (let at = start; at < middle; at += 1) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  for (let at = Math.max(middle, end - SAMPLED_BYTES); at < end; at += 1) {
    hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  }
  return hash ^ (hash >>> 15);
}

/** Where an entry lies. By bits: a serial number is a double, and the remainder of one is slow. */
function entryOf(serial: number): number {
  return (serial & (ENTRY_SLOTS - 1)) * STRIDE;
}

export class EncoderTable {
  // Made when the first line is kept: connections that are only open cost little.
  #log: Uint8Array = NO_BYTES;
  #tail = 0;
  #entries: Int32Array = NONE;
  /** Places of entries, by the hashes of their lines and names. */
  #lineSlots: Uint8Array = NO_BYTES;
  #nameSlots: Uint8Array = NO_BYTES;
  /** The serial number of the oldest live entry, and of the next one. */
  #oldest = 0;
  #next = 0;
  #bytes = 0;
  #bytesMax = TABLE_BYTES_MAX;

  get bytesMax(): number {
    return this.#bytesMax;
  }

  /** `bytesMax` is at most TABLE_BYTES_MAX. */
  resize(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#evict(bytesMax);
  }

  isLive(serial: number): boolean {
    return serial >= this.#oldest;
  }

  /** What the wire calls a live entry. */
  indexOf(serial: number): number {
    return STATIC_ENTRIES + this.#next - serial;
  }

  /** The hash of a live entry's name. */
  nameHashOf(serial: number): number {
    return this.#entries[entryOf(serial) + 4]!;
  }

  /** The live entry with this line, or NOT_FOUND. */
  find(
    hash: number,
    bytes: Uint8Array,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): number {
    const entries = this.#entries;
    if (this.#oldest === this.#next) return NOT_FOUND;
    for (let probe = 0; probe < PROBES; probe += 1) {
      const serial = this.#serialAt(this.#lineSlots[(hash + probe) & (LINE_SLOTS - 1)]!);
      if (serial < this.#oldest) continue;
      const entry = entryOf(serial);
      if (entries[entry + 3] !== hash) continue;
      const start = entries[entry]!;
      const nameLength = entries[entry + 1]!;
      if (nameLength !== nameEnd - nameStart) continue;
      if (entries[entry + 2] !== valueEnd - valueStart) continue;
      if (!this.#isAt(start, bytes, nameStart, nameEnd)) continue;
      if (this.#isAt(start + nameLength, bytes, valueStart, valueEnd)) return serial;
    }
    return NOT_FOUND;
  }

  /** A live entry with this name, or NOT_FOUND. */
  findName(hash: number, bytes: Uint8Array, start: number, end: number): number {
    if (this.#oldest === this.#next) return NOT_FOUND;
    const serial = this.#serialAt(this.#nameSlots[hash & (NAME_SLOTS - 1)]!);
    if (serial < this.#oldest) return NOT_FOUND;
    const entry = entryOf(serial);
    if (this.#entries[entry + 1] !== end - start) return NOT_FOUND;
    return this.#isAt(this.#entries[entry]!, bytes, start, end) ? serial : NOT_FOUND;
  }

  /** Whether a line of so many bytes may become an entry. */
  takes(length: number): boolean {
    return length <= LINE_BYTES_MAX && length + ENTRY_BYTES <= this.#bytesMax;
  }

  /** Makes an entry of a line that `takes` said yes to, and returns its serial number. */
  insert(
    hash: number,
    bytes: Uint8Array,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): number {
    const nameLength = nameEnd - nameStart;
    const length = nameLength + valueEnd - valueStart;
    if (this.#entries === NONE) this.#allocate();
    this.#evict(this.#bytesMax - length - ENTRY_BYTES);
    if (this.#tail + length > LOG_BYTES) this.#moveBack();
    if (this.#tail + length > this.#log.length) this.#growLog(length);
    const serial = this.#next;
    const entry = entryOf(serial);
    const name = nameHash(bytes, nameStart, nameEnd);
    this.#entries[entry] = this.#tail;
    this.#entries[entry + 1] = nameLength;
    this.#entries[entry + 2] = length - nameLength;
    this.#entries[entry + 3] = hash;
    this.#entries[entry + 4] = name;
    this.#append(bytes, nameStart, nameEnd);
    this.#append(bytes, valueStart, valueEnd);
    this.#next = serial + 1;
    this.#bytes += length + ENTRY_BYTES;
    this.#nameSlots[name & (NAME_SLOTS - 1)] = serial & (ENTRY_SLOTS - 1);
    this.#lineSlots[this.#freeSlot(hash)] = serial & (ENTRY_SLOTS - 1);
    return serial;
  }

  #allocate(): void {
    this.#log = new Uint8Array(LOG_BYTES_FIRST);
    this.#entries = new Int32Array(ENTRY_SLOTS * STRIDE);
    this.#lineSlots = new Uint8Array(LINE_SLOTS);
    this.#nameSlots = new Uint8Array(NAME_SLOTS);
  }

  #growLog(count: number): void {
    const larger = new Uint8Array(Math.min(LOG_BYTES, Math.max(this.#log.length * 2, count * 2)));
    larger.set(this.#log);
    this.#log = larger;
  }

  /** The serial number of the last entry that was put into a place; below `oldest` when it is gone. */
  #serialAt(place: number): number {
    const newest = this.#next - 1;
    return newest - ((newest - place) & (ENTRY_SLOTS - 1));
  }

  /** A place for a line of this hash: one whose entry is gone, else that of the oldest. */
  #freeSlot(hash: number): number {
    const slots = this.#lineSlots;
    let best = hash & (LINE_SLOTS - 1);
    let oldest = this.#serialAt(slots[best]!);
    for (let probe = 1; probe < PROBES; probe += 1) {
      const slot = (hash + probe) & (LINE_SLOTS - 1);
      const serial = this.#serialAt(slots[slot]!);
      if (serial < oldest) {
        best = slot;
        oldest = serial;
      }
    }
    return best;
  }

  #append(bytes: Uint8Array, start: number, end: number): void {
    const log = this.#log;
    let to = this.#tail;
    for (let at = start; at < end; at += 1, to += 1) log[to] = bytes[at]!;
    this.#tail = to;
  }

  #isAt(at: number, bytes: Uint8Array, start: number, end: number): boolean {
    const log = this.#log;
    let from = at;
    for (let other = start; other < end; other += 1, from += 1) {
      if (log[from] !== bytes[other]) return false;
    }
    return true;
  }

  #moveBack(): void {
    let to = 0;
    for (let serial = this.#oldest; serial < this.#next; serial += 1) {
      const entry = entryOf(serial);
      const start = this.#entries[entry]!;
      const length = this.#entries[entry + 1]! + this.#entries[entry + 2]!;
      this.#log.copyWithin(to, start, start + length);
      this.#entries[entry] = to;
      to += length;
    }
    this.#tail = to;
  }

  #evict(bytesMax: number): void {
    while (this.#oldest < this.#next && this.#bytes > bytesMax) {
      const entry = entryOf(this.#oldest);
      this.#bytes -= this.#entries[entry + 1]! + this.#entries[entry + 2]! + ENTRY_BYTES;
      this.#oldest += 1;
    }
  }
}
