// The fields of one header or trailer section as they came out of HPACK: offsets into one byte buffer,
// nothing allocated for a field. A connection has one and uses it for every section, so what stands in
// it is good until the connection is given its next bytes.
import { textOf } from "../http1/bytes.ts";
import { KIND, isPseudo, kindOf } from "./field-kind.ts";
import { BLOCK_FIELDS_MAX, LIST_BYTES_MAX } from "./limits.ts";
import { staticEntries } from "./static-table.ts";

/** Numbers of one field in `records`: see the FIELD offsets. */
export const FIELD_STRIDE = 8;

/** What lies where in a field's record. */
export const FIELD = {
  nameStart: 0,
  nameEnd: 1,
  valueStart: 2,
  valueEnd: 3,
  kind: 4,
  /** A set of FLAG. */
  flags: 5,
  /** First entry of the static table with this name, or 0. */
  staticName: 6,
} as const;

/** What is to be known of a line besides its bytes. */
export const FLAG = {
  /** Its sender wants it never indexed (RFC 7541 section 6.2.3). */
  neverIndexed: 1,
  badName: 2,
  badValue: 4,
  /** Its value is not expected to come again: it is kept only where that makes its name known. */
  valueVaries: 8,
} as const;

const NO_BYTES = Buffer.alloc(0);
/** Room for so many is there at first: most blocks have fewer. */
const FIELDS_FIRST = 32;

/** Names and values of the static table; each decoder's bytes begin with them. */
export const staticBytes: Buffer = Buffer.from(
  staticEntries.map(([name, value]) => name + value).join(""),
  "latin1",
);
/** Their records, that of entry n at n * FIELD_STRIDE. */
export const staticRecords: Int32Array = new Int32Array((staticEntries.length + 1) * FIELD_STRIDE);
fillStaticRecords();

function fillStaticRecords(): void {
  const firsts = new Map<string, number>();
  let at = 0;
  for (const [index, [name, value]] of staticEntries.entries()) {
    if (!firsts.has(name)) firsts.set(name, index + 1);
    const record = (index + 1) * FIELD_STRIDE;
    const nameEnd = at + name.length;
    staticRecords[record + FIELD.nameStart] = at;
    staticRecords[record + FIELD.nameEnd] = nameEnd;
    staticRecords[record + FIELD.valueStart] = nameEnd;
    staticRecords[record + FIELD.valueEnd] = nameEnd + value.length;
    staticRecords[record + FIELD.kind] = kindOf(staticBytes, at, nameEnd);
    staticRecords[record + FIELD.staticName] = firsts.get(name)!;
    at = nameEnd + value.length;
  }
}

export class FieldBlock {
  /** What all offsets point into. */
  bytes: Buffer = NO_BYTES;
  count = 0;
  /** FIELD_STRIDE numbers per field. */
  records: Int32Array = new Int32Array(FIELDS_FIRST * FIELD_STRIDE);
  /** The number of each field's line (line-number.ts). */
  lines: Float64Array = new Float64Array(FIELDS_FIRST);
  /** Set of the kinds present (`1 << kind`). */
  seen = 0;
  /** Set of the kinds present more than once. */
  repeated = 0;
  /** Of each kind in `seen`, the first field's number; other entries mean nothing. */
  readonly first: Uint8Array = new Uint8Array(32);
  /** All flags that occur. */
  flags = 0;
  /** A pseudo-header field comes after one that is none. */
  pseudoLate = false;
  /** Names, values and 32 bytes for each field: also of those that are left out. */
  listBytes = 0;
  /** Larger than we said that it may be: what is above is not complete. */
  tooLarge = false;
  #regular = false;

  reset(): void {
    this.count = 0;
    this.seen = 0;
    this.repeated = 0;
    this.flags = 0;
    this.pseudoLate = false;
    this.listBytes = 0;
    this.tooLarge = false;
    this.#regular = false;
  }

  /** Adds the field whose record is source[at, at + FIELD_STRIDE). */
  add(source: Int32Array, at: number, line: number): void {
    const nameStart = source[at]!;
    const nameEnd = source[at + 1]!;
    const valueStart = source[at + 2]!;
    const valueEnd = source[at + 3]!;
    this.listBytes += nameEnd - nameStart + valueEnd - valueStart + 32;
    const { count } = this;
    if (count === BLOCK_FIELDS_MAX || this.listBytes > LIST_BYTES_MAX) {
      this.tooLarge = true;
      return;
    }
    if (count === this.lines.length) this.#grow();
    const { records } = this;
    const kind = source[at + 4]!;
    const flags = source[at + 5]!;
    const record = count * FIELD_STRIDE;
    records[record] = nameStart;
    records[record + 1] = nameEnd;
    records[record + 2] = valueStart;
    records[record + 3] = valueEnd;
    records[record + 4] = kind;
    records[record + 5] = flags;
    records[record + 6] = source[at + 6]!;
    this.lines[count] = line;
    this.count = count + 1;
    this.flags |= flags;
    if (kind === KIND.other) {
      this.#regular = true;
      return;
    }
    const member = 1 << kind;
    if ((this.seen & member) === 0) this.first[kind] = count;
    this.repeated |= this.seen & member;
    this.seen |= member;
    if (!isPseudo(kind)) this.#regular = true;
    else if (this.#regular) this.pseudoLate = true;
  }

  #grow(): void {
    const { records, lines } = this;
    this.records = new Int32Array(BLOCK_FIELDS_MAX * FIELD_STRIDE);
    this.records.set(records);
    this.lines = new Float64Array(BLOCK_FIELDS_MAX);
    this.lines.set(lines);
  }

  has(kind: number): boolean {
    return (this.seen & (1 << kind)) !== 0;
  }

  valueStart(field: number): number {
    return this.records[field * FIELD_STRIDE + FIELD.valueStart]!;
  }

  valueEnd(field: number): number {
    return this.records[field * FIELD_STRIDE + FIELD.valueEnd]!;
  }

  nameText(field: number): string {
    const record = field * FIELD_STRIDE;
    return textOf(this.bytes, this.records[record]!, this.records[record + 1]!);
  }

  valueText(field: number): string {
    return textOf(this.bytes, this.valueStart(field), this.valueEnd(field));
  }

  /** The value of the first field with this lower-case name, or null. */
  value(name: Uint8Array): string | null {
    const { records, bytes, count } = this;
    for (let field = 0; field < count; field += 1) {
      const start = records[field * FIELD_STRIDE]!;
      if (records[field * FIELD_STRIDE + 1]! - start !== name.length) continue;
      let index = 0;
      while (index < name.length && bytes[start + index] === name[index]) index += 1;
      if (index === name.length) return this.valueText(field);
    }
    return null;
  }
}
