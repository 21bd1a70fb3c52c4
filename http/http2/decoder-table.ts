// The dynamic table of a decoder (RFC 7541 section 2.3.2), and the bytes of the block that is decoded.
// Both live in one log: what is decoded is put at its end and never moved while a block is decoded, so
// that fields can point at entries that the same block evicts. Between blocks, once the log has grown,
// the live entries move back to its beginning. (In a ring an entry could be written over while a field
// still points at it, and a line could lie in two parts.)
import { FIELD, FIELD_STRIDE, staticBytes } from "./field-block.ts";
import { TABLE_BYTES_MAX, TABLE_ENTRIES_MAX } from "./limits.ts";

/** Counted for each entry besides its text (RFC 7541 section 4.1). */
const ENTRY_BYTES = 32;
/** Powers of two: places of entries that there can be, and that are there at first. */
const SLOTS_MAX = TABLE_ENTRIES_MAX;
const SLOTS_FIRST = 32;
const LOG_BYTES_MIN = 2048;
/** Beyond so much the live entries move back. */
const LOG_BYTES_COMPACTED = 8 * 1024;
/** A log that one large block made larger is given back. */
const LOG_BYTES_KEPT = 64 * 1024;

export class DecoderTable {
  /** staticBytes, then what was decoded; up to `tail`. */
  log: Buffer;
  tail: number = staticBytes.length;
  /** Records of the entries, by slot. */
  records: Int32Array = new Int32Array(SLOTS_FIRST * FIELD_STRIDE);
  lines: Float64Array = new Float64Array(SLOTS_FIRST);
  #mask = SLOTS_FIRST - 1;
  #newest = SLOTS_FIRST - 1;
  #count = 0;
  #bytes = 0;
  #bytesMax = TABLE_BYTES_MAX;

  constructor() {
    this.log = Buffer.allocUnsafe(LOG_BYTES_MIN);
    staticBytes.copy(this.log, 0);
  }

  get count(): number {
    return this.#count;
  }

  /** Where the record of entry `index` (0 is the newest) lies, or -1. */
  recordOf(index: number): number {
    return index < this.#count ? ((this.#newest - index) & this.#mask) * FIELD_STRIDE : -1;
  }

  /** Room for `count` more bytes in the log. */
  reserve(count: number): void {
    if (this.tail + count <= this.log.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.log.length * 2, this.tail + count));
    this.log.copy(larger, 0, 0, this.tail);
    this.log = larger;
  }

  /** `bytesMax` is at most TABLE_BYTES_MAX. */
  resize(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#evict(bytesMax);
  }

  /** Makes an entry of the record source[0, FIELD_STRIDE), whose bytes lie in the log already. */
  insert(source: Int32Array, line: number): void {
    const size =
      source[FIELD.nameEnd]! -
      source[FIELD.nameStart]! +
      source[FIELD.valueEnd]! -
      source[FIELD.valueStart]! +
      ENTRY_BYTES;
    // A line larger than the table empties it (RFC 7541 section 4.4).
    this.#evict(this.#bytesMax - size);
    if (size > this.#bytesMax) return;
    if (this.#count > this.#mask) this.#addPlaces();
    this.#newest = (this.#newest + 1) & this.#mask;
    this.records.set(source, this.#newest * FIELD_STRIDE);
    this.lines[this.#newest] = line;
    this.#count += 1;
    this.#bytes += size;
  }

  /** Before a block: nobody points at what the last one left. */
  compact(): void {
    if (this.tail > LOG_BYTES_COMPACTED) this.#moveBack();
    else if (this.#count === 0) this.tail = staticBytes.length;
  }

  #addPlaces(): void {
    const records = new Int32Array(SLOTS_MAX * FIELD_STRIDE);
    const lines = new Float64Array(SLOTS_MAX);
    const count = this.#count;
    for (let index = 0; index < count; index += 1) {
      const from = this.recordOf(index);
      const to = count - 1 - index;
      records.set(this.records.subarray(from, from + FIELD_STRIDE), to * FIELD_STRIDE);
      lines[to] = this.lines[from / FIELD_STRIDE]!;
    }
    this.records = records;
    this.lines = lines;
    this.#mask = SLOTS_MAX - 1;
    this.#newest = count - 1;
  }

  #moveBack(): void {
    const { records } = this;
    const source = this.log;
    const target =
      source.length > LOG_BYTES_KEPT ? Buffer.allocUnsafe(LOG_BYTES_COMPACTED) : source;
    if (target !== source) staticBytes.copy(target, 0);
    let to = staticBytes.length;
    // Oldest first: they lie in this order, so nothing is written over before it is moved.
    for (let index = this.#count - 1; index >= 0; index -= 1) {
      const record = this.recordOf(index);
      const start = records[record]!;
      const end = records[record + FIELD.valueEnd]!;
      source.copy(target, to, start, end);
      for (let offset = 0; offset <= FIELD.valueEnd; offset += 1) {
        records[record + offset] = records[record + offset]! + to - start;
      }
      to += end - start;
    }
    this.log = target;
    this.tail = to;
  }

  #evict(bytesMax: number): void {
    while (this.#count > 0 && this.#bytes > bytesMax) {
      const record = this.recordOf(this.#count - 1);
      const start = this.records[record]!;
      this.#bytes -= this.records[record + FIELD.valueEnd]! - start + ENTRY_BYTES;
      this.#count -= 1;
    }
  }
}
