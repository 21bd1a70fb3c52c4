// Where each field of a head lies in the received bytes: offsets in flat arrays that are used again
// for each head, nothing allocated per field. Request and response heads each hold one.
import { COLON, CR, LF, TOKEN, VALUE, equalsIgnoringCase } from "./bytes.ts";
import { CANDIDATES, KIND, kindOf, kindOfCandidate, shapeOf } from "./field-kind.ts";
import { CODE, MORE } from "./refusal.ts";

export const FIELDS_MAX = 128;

/** Offsets per field: name start, name end, value start, value end (whitespace around it left out). */
export const FIELD_STRIDE = 4;

/** CR LF. */
export const LINE_END_BYTES = 2;

// Imported bindings are looked up each time, a module's own constants are not: 10 % of the scan.
const token = TOKEN;
const value = VALUE;
const candidates = CANDIDATES;

const PHASE = {
  start: 0,
  name: 1,
  gap: 2,
  value: 3,
  lineFeed: 4,
  endLineFeed: 5,
  done: 6,
} as const;

/** The fields of one head. All offsets are into the buffer that was scanned. */
export class FieldIndex {
  count = 0;
  /** FIELD_STRIDE numbers per field. A field's line ends where the next begins. */
  readonly offsets: Int32Array = new Int32Array((FIELDS_MAX + 1) * FIELD_STRIDE);
  /** The kind of each field (field-kind.ts). */
  readonly kinds: Uint8Array = new Uint8Array(FIELDS_MAX);
  /** Set of the kinds present (`1 << kind`). */
  seen = 0;
  /** Set of the kinds present more than once. */
  repeated = 0;
  /** Of each kind in `seen`, the first field's number; other entries mean nothing. */
  readonly first: Uint8Array = new Uint8Array(32);
  /** A value has other blanks around it than one space before it. */
  padded = false;
  /** While incomplete: the first byte not looked at yet. */
  at = 0;
  #phase: number = PHASE.start;

  reset(): void {
    this.count = 0;
    this.seen = 0;
    this.repeated = 0;
    this.padded = false;
    this.at = 0;
    this.#phase = PHASE.start;
  }

  /**
   * Scans on from `from` (afterwards from `this.at`). Returns the offset after the blank line, MORE,
   * or a refusal code. However the bytes are cut, none is looked at more than twice.
   */
  scan(buffer: Uint8Array, from: number, end: number): number {
    let at = from;
    while (at < end) {
      if (this.#phase === PHASE.start) at = this.#scanWholeLines(buffer, at, end);
      at = this.#scanLine(buffer, at, end);
      if (at < 0) return at;
      if (this.#phase === PHASE.done) return at;
    }
    this.at = at;
    return MORE;
  }

  /**
   * The fast path: takes lines that are complete and have nothing unusual, and stops at the beginning
   * of the first that is not. Everything it needs is in locals (against the careful scan alone: about
   * half the time for 13 fields, bench/micro/http1.ts).
   */
  #scanWholeLines(buffer: Uint8Array, from: number, end: number): number {
    const { offsets, kinds, first } = this;
    let { count, seen, repeated } = this;
    let lineStart = from;
    while (count < FIELDS_MAX) {
      let at = lineStart;
      while (at < end && token[buffer[at]!] !== 0) at += 1;
      if (at === lineStart || at + 1 >= end || buffer[at] !== 0x3a) break;
      const nameEnd = at;
      at += 1;
      if (buffer[at] === 0x20) at += 1;
      const valueStart = at;
      while (at < end && value[buffer[at]!] !== 0) at += 1;
      if (at + 1 >= end || buffer[at] !== 0x0d || buffer[at + 1] !== 0x0a) break;
      // Blanks around the value are rare: the careful scan takes them off.
      if (at > valueStart && (isBlank(buffer[valueStart]!) || isBlank(buffer[at - 1]!))) break;
      const slot = count * 4;
      offsets[slot] = lineStart;
      offsets[slot + 1] = nameEnd;
      offsets[slot + 2] = valueStart;
      offsets[slot + 3] = at;
      const candidate = candidates[shapeOf(nameEnd - lineStart, buffer[lineStart]!)]!;
      let kind = 0;
      if (candidate !== 0) {
        kind = kindOfCandidate(buffer, lineStart, nameEnd, candidate);
        if (kind !== 0) {
          const member = 1 << kind;
          if ((seen & member) === 0) first[kind] = count;
          repeated |= seen & member;
          seen |= member;
        }
      }
      kinds[count] = kind;
      count += 1;
      lineStart = at + 2;
    }
    this.count = count;
    this.seen = seen;
    this.repeated = repeated;
    return lineStart;
  }

  /** The careful path: one line, or the rest or a part of one, or the blank line. */
  #scanLine(buffer: Uint8Array, from: number, end: number): number {
    const offsets = this.offsets;
    const slot = this.count * FIELD_STRIDE;
    let phase = this.#phase;
    let at = from;
    if (phase === PHASE.start && at < end) {
      offsets[slot] = at;
      phase = PHASE.name;
      if (buffer[at] === CR) {
        phase = PHASE.endLineFeed;
        at += 1;
      } else if (this.count === FIELDS_MAX) return CODE.too_many_fields;
    }
    if (phase === PHASE.name) {
      while (at < end && TOKEN[buffer[at]!] !== 0) at += 1;
      if (at < end) {
        const empty = at === offsets[slot];
        if (buffer[at] !== COLON || empty) return nameFault(buffer[at]!, empty);
        offsets[slot + 1] = at;
        at += 1;
        phase = PHASE.gap;
      }
    }
    if (phase === PHASE.gap) {
      while (at < end && isBlank(buffer[at]!)) at += 1;
      if (at < end) {
        offsets[slot + 2] = at;
        phase = PHASE.value;
      }
    }
    if (phase === PHASE.value) {
      while (at < end && VALUE[buffer[at]!] !== 0) at += 1;
      if (at < end) {
        if (buffer[at] !== CR) return buffer[at] === LF ? CODE.bare_lf : CODE.control_byte;
        offsets[slot + 3] = at;
        at += 1;
        phase = PHASE.lineFeed;
      }
    }
    if (phase >= PHASE.lineFeed && at < end) {
      if (buffer[at] !== LF) return CODE.bare_cr;
      at += 1;
      if (phase === PHASE.lineFeed) this.#add(buffer, slot);
      phase = phase === PHASE.lineFeed ? PHASE.start : PHASE.done;
    }
    this.#phase = phase;
    return at;
  }

  /** Number of the first field with this lower-case name, or -1. For names without a kind. */
  find(buffer: Uint8Array, lowerName: Uint8Array, from = 0): number {
    const offsets = this.offsets;
    for (let field = from; field < this.count; field += 1) {
      const slot = field * FIELD_STRIDE;
      if (equalsIgnoringCase(buffer, offsets[slot]!, offsets[slot + 1]!, lowerName)) return field;
    }
    return -1;
  }

  has(kind: number): boolean {
    return (this.seen & (1 << kind)) !== 0;
  }

  /** Gives a field another kind once its value was read. Its own kind must not be a repeated one. */
  setKind(field: number, kind: number): void {
    this.seen = (this.seen & ~(1 << this.kinds[field]!)) | (1 << kind);
    this.kinds[field] = kind;
    this.first[kind] = field;
  }

  /** Whether it is one that makes `padded`. */
  isPadded(buffer: Uint8Array, field: number): boolean {
    const slot = field * FIELD_STRIDE;
    const lineEnd = this.offsets[slot + FIELD_STRIDE]!;
    const before = isPadding(buffer, this.offsets[slot + 1]! + 1, this.offsets[slot + 2]!);
    return before || this.offsets[slot + 3]! + LINE_END_BYTES !== lineEnd;
  }

  valueStart(field: number): number {
    return this.offsets[field * FIELD_STRIDE + 2]!;
  }

  valueEnd(field: number): number {
    return this.offsets[field * FIELD_STRIDE + 3]!;
  }

  #add(buffer: Uint8Array, slot: number): void {
    const offsets = this.offsets;
    const valueStart = offsets[slot + 2]!;
    let valueEnd = offsets[slot + 3]!;
    while (valueEnd > valueStart && isBlank(buffer[valueEnd - 1]!)) valueEnd -= 1;
    if (valueEnd !== offsets[slot + 3] || isPadding(buffer, offsets[slot + 1]! + 1, valueStart)) {
      this.padded = true;
    }
    offsets[slot + 3] = valueEnd;
    const kind = kindOf(buffer, offsets[slot]!, offsets[slot + 1]!);
    this.kinds[this.count] = kind;
    if (kind !== KIND.other) {
      const member = 1 << kind;
      if ((this.seen & member) === 0) this.first[kind] = this.count;
      this.repeated |= this.seen & member;
      this.seen |= member;
    }
    this.count += 1;
  }
}

/** Whether the blanks before a value are others than one space, or none. */
function isPadding(buffer: Uint8Array, start: number, end: number): boolean {
  return end - start > 1 || (end - start === 1 && buffer[start] !== 0x20);
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}

function nameFault(byte: number, empty: boolean): number {
  if (byte === LF) return CODE.bare_lf;
  if (isBlank(byte)) return empty ? CODE.obs_fold : CODE.space_before_colon;
  return byte === COLON ? CODE.empty_field_name : CODE.bad_field_name;
}
