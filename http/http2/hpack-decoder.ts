// Decodes header blocks (RFC 7541) into one FieldBlock. Field names and values are checked as they are
// decoded, once for each line: a line of the dynamic table is known to be good or bad when it is used
// again. Never throws; a block that cannot be decoded ends the connection.
import { SPACE, TAB, TOKEN, VALUE } from "../http1/bytes.ts";
import { DecoderTable } from "./decoder-table.ts";
import { ERROR } from "./error-code.ts";
import {
  FIELD,
  FIELD_STRIDE,
  FLAG,
  FieldBlock,
  staticBytes,
  staticRecords,
} from "./field-block.ts";
import { KIND, kindOf } from "./field-kind.ts";
import { IntegerReader } from "./hpack-integer.ts";
import { decodeHuffman, decodedBytesMax } from "./huffman.ts";
import { LIST_BYTES_BOMB, TABLE_BYTES_MAX } from "./limits.ts";
import { LINE_NONE, nextLine } from "./line-number.ts";
import { staticNameOf } from "./name-index.ts";
import { STATIC_ENTRIES } from "./static-table.ts";

/** Updates of the table's size at the beginning of a block: down and up again (RFC 7541 section 4.2). */
const SIZE_UPDATES_MAX = 2;

/** 1 where a byte may be in a name: tokens in lower case (RFC 9113 section 8.2.1). */
const NAME: Uint8Array = TOKEN.map((isToken, byte) =>
  isToken === 1 && (byte < 0x41 || byte > 0x5a) ? 1 : 0,
);

export class HpackDecoder {
  /** What the last block held. */
  readonly block: FieldBlock = new FieldBlock();
  readonly #table = new DecoderTable();
  readonly #integer = new IntegerReader();
  /** The literal that is being decoded. */
  readonly #record = new Int32Array(FIELD_STRIDE);

  /** Decodes source[start, end) into `block`. Returns 0, or the error that ends the connection. */
  decode(source: Uint8Array, start: number, end: number): number {
    const table = this.#table;
    const block = this.block;
    table.compact();
    block.reset();
    let at = start;
    let updates = 0;
    while (at < end) {
      const first = source[at]!;
      if (first < 0x80) {
        if (first >= 0x20 && first < 0x40) {
          if (block.listBytes > 0 || updates === SIZE_UPDATES_MAX) return ERROR.compressionError;
          at = this.#resize(source, at, end);
          updates += 1;
        } else at = this.#decodeLiteral(source, at, end);
        if (at < 0) return ERROR.compressionError;
      } else {
        let index = first & 0x7f;
        at += 1;
        if (index === 0x7f) {
          index = this.#integer.read(source, at - 1, end, 7);
          at = this.#integer.at;
        }
        if (index <= 0) return ERROR.compressionError;
        if (index <= STATIC_ENTRIES) block.add(staticRecords, index * FIELD_STRIDE, index);
        else {
          const record = table.recordOf(index - STATIC_ENTRIES - 1);
          if (record < 0) return ERROR.compressionError;
          block.add(table.records, record, table.lines[record / FIELD_STRIDE]!);
        }
      }
      if (block.listBytes > LIST_BYTES_BOMB) return ERROR.enhanceYourCalm;
    }
    block.bytes = table.log;
    return 0;
  }

  #resize(source: Uint8Array, at: number, end: number): number {
    const size = this.#integer.read(source, at, end, 5);
    if (size < 0 || size > TABLE_BYTES_MAX) return -1;
    this.#table.resize(size);
    return this.#integer.at;
  }

  /** The offset after the literal, or -1. */
  #decodeLiteral(source: Uint8Array, start: number, end: number): number {
    const first = source[start]!;
    const kept = first >= 0x40;
    const integer = this.#integer;
    const record = this.#record;
    const index = integer.read(source, start, end, kept ? 6 : 4);
    if (index < 0) return -1;
    record[FIELD.flags] = (first & 0xf0) === 0x10 ? FLAG.neverIndexed : 0;
    const nameKnown = index > 0;
    const named = nameKnown
      ? this.#takeName(index, kept)
      : this.#decodeName(source, integer.at, end);
    if (!named) return -1;
    if (!this.#decodeValue(source, integer.at, end)) return -1;
    const line = kept ? nextLine() : LINE_NONE;
    this.block.add(record, 0, line);
    if (kept) this.#table.insert(record, line);
    return integer.at;
  }

  /** Takes the name of another entry. One that will be kept needs it in front of its value. */
  #takeName(index: number, kept: boolean): boolean {
    const table = this.#table;
    const record = this.#record;
    const isStatic = index <= STATIC_ENTRIES;
    const source = isStatic ? staticRecords : table.records;
    const from = isStatic ? index * FIELD_STRIDE : table.recordOf(index - STATIC_ENTRIES - 1);
    if (from < 0) return false;
    record[FIELD.kind] = source[from + FIELD.kind]!;
    record[FIELD.staticName] = source[from + FIELD.staticName]!;
    record[FIELD.flags] = record[FIELD.flags]! | (source[from + FIELD.flags]! & FLAG.badName);
    let nameStart = source[from]!;
    let nameEnd = source[from + 1]!;
    if (kept) {
      const length = nameEnd - nameStart;
      table.reserve(length);
      const { log } = table;
      const to = table.tail;
      for (let at = 0; at < length; at += 1) log[to + at] = log[nameStart + at]!;
      table.tail = to + length;
      nameStart = to;
      nameEnd = to + length;
    }
    record[FIELD.nameStart] = nameStart;
    record[FIELD.nameEnd] = nameEnd;
    return true;
  }

  #decodeName(source: Uint8Array, start: number, end: number): boolean {
    const table = this.#table;
    const record = this.#record;
    const nameStart = table.tail;
    if (!this.#decodeString(source, start, end)) return false;
    const { log, tail } = table;
    const kind = kindOf(log, nameStart, tail);
    let good = tail > nameStart && kind !== KIND.unknownPseudo;
    // The colon of a pseudo-header field was looked at by kindOf.
    const from = log[nameStart] === 0x3a ? nameStart + 1 : nameStart;
    for (let at = from; at < tail; at += 1) good = NAME[log[at]!] === 1 && good;
    record[FIELD.nameStart] = nameStart;
    record[FIELD.nameEnd] = tail;
    record[FIELD.kind] = kind;
    record[FIELD.staticName] = staticNameOf(log, nameStart, tail);
    if (!good) record[FIELD.flags] = record[FIELD.flags]! | FLAG.badName;
    return true;
  }

  #decodeValue(source: Uint8Array, start: number, end: number): boolean {
    const table = this.#table;
    const record = this.#record;
    const valueStart = table.tail;
    if (!this.#decodeString(source, start, end)) return false;
    const { log, tail } = table;
    let good = 1;
    for (let at = valueStart; at < tail; at += 1) good &= VALUE[log[at]!]!;
    if (tail > valueStart && (isBlank(log[valueStart]!) || isBlank(log[tail - 1]!))) good = 0;
    record[FIELD.valueStart] = valueStart;
    record[FIELD.valueEnd] = tail;
    if (good === 0) record[FIELD.flags] = record[FIELD.flags]! | FLAG.badValue;
    return true;
  }

  /** Puts a string at the end of the log. */
  #decodeString(source: Uint8Array, start: number, end: number): boolean {
    const table = this.#table;
    const integer = this.#integer;
    const length = integer.read(source, start, end, 7);
    const from = integer.at;
    if (length < 0 || length > end - from) return false;
    const to = from + length;
    integer.at = to;
    if (source[start]! >= 0x80) {
      table.reserve(decodedBytesMax(length));
      table.tail = decodeHuffman(source, from, to, table.log, table.tail);
      if (table.tail >= 0) return true;
      table.tail = staticBytes.length;
      return false;
    }
    table.reserve(length);
    const { log, tail } = table;
    for (let at = 0; at < length; at += 1) log[tail + at] = source[from + at]!;
    table.tail = tail + length;
    return true;
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
