// Encodes header blocks (RFC 7541). Made for forwarding: a line that came by its index leaves by an
// index after one look at a number. What it keeps in the table it decides by itself:
//
// - secrets are never indexed, whatever their sender did (RFC 7541 section 7.1.3);
// - what its sender did not index is not indexed;
// - each name has a credit of entries, earned back when one is used: a name whose values vary is soon no
//   longer indexed, but written with the index of its name. (A table that such lines rush through costs
//   more than it saves: design of the data path.)
//
// Strings go out as they are, or in Huffman's code where that was asked for.
import { EncoderTable, NOT_FOUND, lineHash } from "./encoder-table.ts";
import { FIELD_STRIDE, FLAG, staticBytes, staticRecords } from "./field-block.ts";
import type { FieldBlock } from "./field-block.ts";
import { isSecret } from "./field-kind.ts";
import type { FieldLine } from "./field-line.ts";
import { INTEGER_BYTES_MAX, writeInteger } from "./hpack-integer.ts";
import { encodeHuffman, huffmanBytes } from "./huffman.ts";
import { TABLE_BYTES_MAX } from "./limits.ts";
import { LINE_NONE } from "./line-number.ts";
import { nameHash } from "./name-index.ts";
import { STATIC_ENTRIES } from "./static-table.ts";

/** First byte of each representation (RFC 7541 section 6). */
const INDEXED = 0x80;
const LITERAL_KEPT = 0x40;
const SIZE_UPDATE = 0x20;
const LITERAL_NEVER = 0x10;
const LITERAL = 0x00;
const HUFFMAN = 0x80;

const NAMES = 256;
const CREDIT_FIRST = 4;
const CREDIT_MAX = 8;
/** After so many lines that were not kept a name may try again once. */
const RETRY_AFTER = 64;

/** Places in which the entry of a numbered line is remembered: several connections' lines meet in one. */
const MEMO_SLOTS = 256;
const NO_MEMO: Float64Array = new Float64Array(0);

const BLOCK_BYTES_FIRST = 512;
const NO_BYTES = Buffer.alloc(0);

export class HpackEncoder {
  /** The block being written: bytes[0, length). */
  bytes: Buffer = NO_BYTES;
  length = 0;
  readonly #table = new EncoderTable();
  readonly #huffman: boolean;
  /** Of numbered lines: the number, and the entry it was found in or became. */
  #memoLines = NO_MEMO;
  #memoSerials = NO_MEMO;
  /** By the hash of a name: entries it may still make, and lines since it may make none. */
  readonly #credits = new Uint8Array(NAMES).fill(CREDIT_FIRST);
  readonly #misses = new Uint8Array(NAMES);
  /** The smallest size since the last block, when it changed; else -1. */
  #announce = -1;

  constructor(huffman = false) {
    this.#huffman = huffman;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE; the next block begins with what it has to be told. */
  resize(peerBytesMax: number): void {
    const size = Math.min(peerBytesMax, TABLE_BYTES_MAX);
    if (size === this.#table.bytesMax) return;
    this.#announce = this.#announce < 0 ? size : Math.min(this.#announce, size);
    this.#table.resize(size);
  }

  begin(): void {
    this.length = 0;
    if (this.#announce < 0) return;
    const size = this.#table.bytesMax;
    this.reserve(2 * INTEGER_BYTES_MAX);
    if (this.#announce < size) this.#integer(this.#announce, 5, SIZE_UPDATE);
    this.#integer(size, 5, SIZE_UPDATE);
    this.#announce = -1;
  }

  /** Adds all fields of `block` but those of the kinds in `drop`, in their order. */
  forward(block: FieldBlock, drop: number, from = 0, to: number = block.count): void {
    const { records, lines, bytes } = block;
    const memoLines = this.#memoLines;
    this.reserve((to - from) * INTEGER_BYTES_MAX);
    for (let field = from; field < to; field += 1) {
      const record = field * FIELD_STRIDE;
      const kind = records[record + 4]!;
      if (kind !== 0 && ((drop >>> kind) & 1) === 1) continue;
      const line = lines[field]!;
      const memo = line & (MEMO_SLOTS - 1);
      if (line > STATIC_ENTRIES && memoLines[memo] === line && this.#writeKnown(memo)) continue;
      this.field(
        bytes,
        records[record]!,
        records[record + 1]!,
        records[record + 2]!,
        records[record + 3]!,
        kind,
        records[record + 6]!,
        line,
        records[record + 5]!,
      );
    }
  }

  /** Adds fields that were encoded elsewhere, without any table. */
  raw(fields: Uint8Array): void {
    this.reserve(fields.length);
    this.bytes.set(fields, this.length);
    this.length += fields.length;
  }

  line(line: FieldLine): void {
    const memo = line.line & (MEMO_SLOTS - 1);
    this.reserve(INTEGER_BYTES_MAX);
    if (this.#memoLines[memo] === line.line && this.#writeKnown(memo)) return;
    const { bytes, nameEnd, kind, staticName } = line;
    this.field(bytes, 0, nameEnd, nameEnd, bytes.length, kind, staticName, line.line, 0);
  }

  /** An entry of the static table. */
  indexed(index: number): void {
    this.reserve(1);
    this.bytes[this.length] = INDEXED | index;
    this.length += 1;
  }

  /**
   * Adds one field; the name in lower case. `line` is its number (line-number.ts): LINE_NONE for one that
   * is not to be indexed. `flags` is a set of FLAG.
   */
  field(
    bytes: Uint8Array,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    kind: number,
    staticName: number,
    line: number,
    flags: number,
  ): void {
    const secret = isSecret(kind) || (flags & FLAG.neverIndexed) !== 0;
    if (line !== LINE_NONE && !secret) {
      if (line <= STATIC_ENTRIES) {
        this.indexed(line);
        return;
      }
      const same = staticLine(staticName, bytes, valueStart, valueEnd);
      if (same !== 0) {
        this.indexed(same);
        return;
      }
    }
    const table = this.#table;
    const name = nameHash(bytes, nameStart, nameEnd);
    let first = secret ? LITERAL_NEVER : LITERAL;
    let hash = 0;
    if (line !== LINE_NONE && !secret) {
      hash = lineHash(name, bytes, valueStart, valueEnd);
      const serial = table.find(hash, bytes, nameStart, nameEnd, valueStart, valueEnd);
      if (serial !== NOT_FOUND) {
        this.#remember(line, serial);
        this.#earn(name);
        this.reserve(INTEGER_BYTES_MAX);
        this.#integer(table.indexOf(serial), 7, INDEXED);
        return;
      }
      if (this.#keeps(name, nameEnd - nameStart + valueEnd - valueStart)) first = LITERAL_KEPT;
    } else if ((flags & FLAG.valueVaries) !== 0 && !secret && staticName === 0) {
      const known = table.findName(name, bytes, nameStart, nameEnd) !== NOT_FOUND;
      if (!known && this.#keeps(name, nameEnd - nameStart + valueEnd - valueStart)) {
        hash = lineHash(name, bytes, valueStart, valueEnd);
        first = LITERAL_KEPT;
      }
    }
    this.#literal(first, name, bytes, nameStart, nameEnd, staticName);
    this.#string(bytes, valueStart, valueEnd);
    if (first === LITERAL_KEPT) {
      const serial = table.insert(hash, bytes, nameStart, nameEnd, valueStart, valueEnd);
      if (line !== LINE_NONE) this.#remember(line, serial);
    }
  }

  /** Room for `count` more bytes. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(
      Math.max(this.bytes.length * 2, this.length + count, BLOCK_BYTES_FIRST),
    );
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }

  /** Writes the index of a remembered line, if its entry still lives. Room must be there. */
  #writeKnown(memo: number): boolean {
    const serial = this.#memoSerials[memo]!;
    const table = this.#table;
    if (!table.isLive(serial)) return false;
    this.#earn(table.nameHashOf(serial));
    this.#integer(table.indexOf(serial), 7, INDEXED);
    return true;
  }

  #remember(line: number, serial: number): void {
    if (this.#memoLines === NO_MEMO) {
      this.#memoLines = new Float64Array(MEMO_SLOTS);
      this.#memoSerials = new Float64Array(MEMO_SLOTS);
    }
    const memo = line & (MEMO_SLOTS - 1);
    this.#memoLines[memo] = line;
    this.#memoSerials[memo] = serial;
  }

  #earn(name: number): void {
    const slot = name & (NAMES - 1);
    if (this.#credits[slot]! < CREDIT_MAX) this.#credits[slot] = this.#credits[slot]! + 1;
  }

  /** Whether a line of so many bytes becomes an entry. */
  #keeps(name: number, length: number): boolean {
    return this.#table.takes(length) && this.#spend(name);
  }

  #spend(name: number): boolean {
    const slot = name & (NAMES - 1);
    if (this.#credits[slot]! > 0) {
      this.#credits[slot] = this.#credits[slot]! - 1;
      return true;
    }
    const misses = this.#misses[slot]! + 1;
    this.#misses[slot] = misses === RETRY_AFTER ? 0 : misses;
    return misses === RETRY_AFTER;
  }

  /** The first byte of a literal and its name, by index where one is known. */
  #literal(
    first: number,
    hash: number,
    bytes: Uint8Array,
    nameStart: number,
    nameEnd: number,
    staticName: number,
  ): void {
    const prefix = first === LITERAL_KEPT ? 6 : 4;
    let index = staticName;
    if (index === 0) {
      const serial = this.#table.findName(hash, bytes, nameStart, nameEnd);
      if (serial !== NOT_FOUND) index = this.#table.indexOf(serial);
    }
    this.reserve(INTEGER_BYTES_MAX);
    this.#integer(index, prefix, first);
    if (index === 0) this.#string(bytes, nameStart, nameEnd);
  }

  #string(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.reserve(INTEGER_BYTES_MAX + length);
    if (this.#huffman) {
      const coded = huffmanBytes(source, start, end);
      if (coded < length) {
        this.#integer(coded, 7, HUFFMAN);
        this.length = encodeHuffman(source, start, end, this.bytes, this.length);
        return;
      }
    }
    this.#integer(length, 7, 0);
    const { bytes } = this;
    let to = this.length;
    for (let at = start; at < end; at += 1, to += 1) bytes[to] = source[at]!;
    this.length = to;
  }

  #integer(value: number, prefixBits: number, pattern: number): void {
    this.length = writeInteger(this.bytes, this.length, value, prefixBits, pattern);
  }
}

/** The entry of the static table that says the same, of a name whose first entry is `staticName`; or 0. */
function staticLine(staticName: number, bytes: Uint8Array, start: number, end: number): number {
  let index = staticName;
  while (index !== 0 && index <= STATIC_ENTRIES) {
    const record = index * FIELD_STRIDE;
    if (staticRecords[record + 6] !== staticName) return 0;
    const valueStart = staticRecords[record + 2]!;
    if (staticRecords[record + 3]! - valueStart === end - start) {
      let offset = 0;
      while (offset < end - start && staticBytes[valueStart + offset] === bytes[start + offset]) {
        offset += 1;
      }
      if (offset === end - start) return index;
    }
    index += 1;
  }
  return 0;
}
