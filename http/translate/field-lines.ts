// Puts the fields of an HTTP/1 message into a header block: names in lower case, values as they are. A line that
// came before costs one comparison and goes by its index; secrets are written never-indexed each time.
import { tableOf } from "../http1/bytes.ts";
import { FIELD_STRIDE } from "../http1/field-index.ts";
import type { FieldIndex } from "../http1/field-index.ts";
import { FLAG } from "../http2/field-block.ts";
import { isSecret, kindOf } from "../http2/field-kind.ts";
import type { FieldLine } from "../http2/field-line.ts";
import type { HpackEncoder } from "../http2/hpack-encoder.ts";
import { BLOCK_FIELDS_MAX, LIST_BYTES_MAX } from "../http2/limits.ts";
import { LINE_NONE, LINE_UNNUMBERED, nextLine } from "../http2/line-number.ts";
import { staticNameOf } from "../http2/name-index.ts";
import { CODE } from "../http1/refusal.ts";
import type { LineCache } from "./line-cache.ts";

/** Counted for each field besides its text (RFC 9113 section 10.5.1). */
const FIELD_BYTES = 32;
/** More than the names of all pseudo-header fields and a scheme. */
const PSEUDO_BYTES = 64;

/** 1 where a byte has to be made lower case. */
const UPPER: Uint8Array = tableOf((byte) => byte >= 0x41 && byte <= 0x5a);

const SCRATCH_BYTES_FIRST = 1024;
let scratch: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES_FIRST);

/**
 * Why a head of `bytes` bytes with `count` fields, and `added` lines more, is more than an HTTP/2 message may
 * have: a refusal code, or 0. `pseudo`: pseudo-header fields that come instead of its start line.
 */
export function listRefusal(
  bytes: number,
  count: number,
  pseudo: number,
  added: readonly FieldLine[],
): number {
  const fields = count + pseudo + added.length;
  if (fields > BLOCK_FIELDS_MAX) return CODE.too_many_fields;
  let list = bytes + fields * FIELD_BYTES;
  for (const line of added) list += line.bytes.length;
  return list + PSEUDO_BYTES > LIST_BYTES_MAX ? CODE.head_too_long : 0;
}

/** Adds all fields but those of the kinds in `drop`, in their order. */
export function putFields(
  encoder: HpackEncoder,
  cache: LineCache,
  fields: FieldIndex,
  buffer: Uint8Array,
  drop: number,
): void {
  const { offsets, kinds, count } = fields;
  for (let field = 0; field < count; field += 1) {
    if (((drop >>> kinds[field]!) & 1) === 1) continue;
    const slot = field * FIELD_STRIDE;
    const start = offsets[slot]!;
    const end = offsets[slot + 3]!;
    const known = cache.find(buffer, start, end);
    if (known !== null) encoder.line(known);
    else putNew(encoder, cache, buffer, start, offsets[slot + 1]!, offsets[slot + 2]!, end);
  }
}

/** The same without looking whether a line came before: what is rare would push out what is not. */
export function putUncachedFields(
  encoder: HpackEncoder,
  fields: FieldIndex,
  buffer: Uint8Array,
  drop: number,
): void {
  const { offsets, kinds, count } = fields;
  for (let field = 0; field < count; field += 1) {
    if (((drop >>> kinds[field]!) & 1) === 1) continue;
    const slot = field * FIELD_STRIDE;
    const nameLength = offsets[slot + 1]! - offsets[slot]!;
    const bytes = lowered(
      buffer,
      offsets[slot]!,
      offsets[slot + 1]!,
      offsets[slot + 2]!,
      offsets[slot + 3]!,
    );
    const length = nameLength + offsets[slot + 3]! - offsets[slot + 2]!;
    const kind = kindOf(bytes, 0, nameLength);
    const staticName = staticNameOf(bytes, 0, nameLength);
    encoder.field(bytes, 0, nameLength, nameLength, length, kind, staticName, LINE_UNNUMBERED, 0);
  }
}

/** A line that `cache` was just asked for in vain. */
function putNew(
  encoder: HpackEncoder,
  cache: LineCache,
  buffer: Uint8Array,
  start: number,
  nameEnd: number,
  valueStart: number,
  end: number,
): void {
  let bytes = buffer;
  let [from, middle, value, to] = [start, nameEnd, valueStart, end];
  if (hasUpper(buffer, start, nameEnd)) {
    bytes = lowered(buffer, start, nameEnd, valueStart, end);
    to = nameEnd - start + end - valueStart;
    [from, middle, value] = [0, nameEnd - start, nameEnd - start];
  }
  const kind = kindOf(bytes, from, middle);
  const staticName = staticNameOf(bytes, from, middle);
  if (!cache.cameBefore || isSecret(kind)) {
    encoder.field(bytes, from, middle, value, to, kind, staticName, LINE_NONE, FLAG.valueVaries);
    return;
  }
  const line = lineOf(bytes, from, middle, value, to, kind, staticName);
  cache.remember(buffer, start, end, line);
  encoder.line(line);
}

/** A line of its own, of the name and the value that lie in `bytes`. */
export function lineOf(
  bytes: Uint8Array,
  nameStart: number,
  nameEnd: number,
  valueStart: number,
  valueEnd: number,
  kind: number,
  staticName: number,
): FieldLine {
  const nameLength = nameEnd - nameStart;
  const own = Buffer.allocUnsafeSlow(nameLength + valueEnd - valueStart);
  own.set(bytes.subarray(nameStart, nameEnd), 0);
  own.set(bytes.subarray(valueStart, valueEnd), nameLength);
  return { bytes: own, nameEnd: nameLength, kind, staticName, line: nextLine() };
}

function hasUpper(buffer: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (UPPER[buffer[at]!] === 1) return true;
  return false;
}

/** Name in lower case and value, one behind the other; good until the next call. */
function lowered(
  buffer: Uint8Array,
  start: number,
  nameEnd: number,
  valueStart: number,
  end: number,
): Uint8Array {
  const length = nameEnd - start + end - valueStart;
  if (length > scratch.length) scratch = Buffer.allocUnsafeSlow(length);
  let to = 0;
  for (let at = start; at < nameEnd; at += 1, to += 1) {
    const byte = buffer[at]!;
    scratch[to] = UPPER[byte] === 1 ? byte + 32 : byte;
  }
  for (let at = valueStart; at < end; at += 1, to += 1) scratch[to] = buffer[at]!;
  return scratch;
}
