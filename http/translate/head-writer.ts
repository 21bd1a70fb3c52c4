// Writes an HTTP/1 head and looks at each byte on its way: whatever the codec let through, none that could end a
// line, a name or a target early gets into a head. Beside the copy the look costs little.
//
// One event loop writes one head at a time: open, any number of put..., close.
import { SPACE, TOKEN, VALUE, tableOf } from "../http1/bytes.ts";
import { CODE } from "../http1/refusal.ts";
import { TARGET_BYTES } from "../http1/target-bytes.ts";

const NO_BYTES = Buffer.alloc(0);
const COLON = 0x3a;
const CR = 0x0d;
const LF = 0x0a;
/** Below this a loop beats the call into native code. */
const NATIVE_COPY_BYTES_MIN = 48;

/** 1 where a byte may be in a name that came over HTTP/2: tokens in lower case. */
const NAME: Uint8Array = tableOf((byte) => TOKEN[byte] === 1 && (byte < 0x41 || byte > 0x5a));
// Imported bindings are looked up each time, a module's own constants are not.
const VALUES = VALUE;
const TOKENS = TOKEN;
const TARGETS = TARGET_BYTES;

let output: Buffer = NO_BYTES;
let length = 0;
let fault = 0;

/** Begins a head of at most `bytesMax` bytes. */
export function open(bytesMax: number): void {
  output = Buffer.allocUnsafe(bytesMax);
  length = 0;
  fault = 0;
}

/** Ends the head: its bytes, or a refusal code when something in it was no part of one. */
export function close(): Buffer | number {
  putLineEnd();
  if (length > output.length) throw new Error("Assertion failed: a head outgrew its room");
  const head = output.subarray(0, length);
  output = NO_BYTES;
  return fault === 0 ? head : fault;
}

/** The bytes that were put so far. */
export function written(): number {
  return length;
}

/** A copy of what was put since `written` said `from`; null when something in the head was no part of one. */
export function writtenSince(from: number): Buffer | null {
  return fault === 0 ? Buffer.from(output.subarray(from, length)) : null;
}

/** Puts bytes that were made here. */
export function put(bytes: Buffer): void {
  putFirst(bytes, bytes.length);
}

/** Puts bytes[0, count), which were looked at before. */
export function putFirst(bytes: Buffer, count: number): void {
  if (count >= NATIVE_COPY_BYTES_MIN) bytes.copy(output, length, 0, count);
  else {
    const target = output;
    for (let at = 0; at < count; at += 1) target[length + at] = bytes[at]!;
  }
  length += count;
}

export function putSpace(): void {
  output[length] = SPACE;
  length += 1;
}

export function putLineEnd(): void {
  output[length] = CR;
  output[length + 1] = LF;
  length += 2;
}

/** Puts source[start, end), which must be a method. */
export function putMethod(source: Uint8Array, start: number, end: number): void {
  putChecked(source, start, end, TOKENS, CODE.bad_method);
  if (start === end) fault = CODE.bad_method;
}

/** Puts source[start, end), which must be the target of a request. */
export function putTarget(source: Uint8Array, start: number, end: number): void {
  putChecked(source, start, end, TARGETS, CODE.bad_target);
  if (start === end) fault = CODE.bad_target;
}

/** Puts source[start, end), which must be a host: of its bytes none is one that no target may have. */
export function putHost(source: Uint8Array, start: number, end: number): void {
  putChecked(source, start, end, TARGETS, CODE.bad_host);
  if (start === end) fault = CODE.bad_host;
}

/** Puts source[start, end), which must be (a part of) a field's value. */
export function putValue(source: Uint8Array, start: number, end: number): void {
  putChecked(source, start, end, VALUES, CODE.control_byte);
}

/** Puts the line of a field, its name in lower case. */
export function putField(
  source: Uint8Array,
  nameStart: number,
  nameEnd: number,
  valueStart: number,
  valueEnd: number,
): void {
  if (nameStart === nameEnd) fault = CODE.empty_field_name;
  putChecked(source, nameStart, nameEnd, NAME, CODE.bad_field_name);
  output[length] = COLON;
  output[length + 1] = SPACE;
  length += 2;
  putChecked(source, valueStart, valueEnd, VALUES, CODE.control_byte);
  putLineEnd();
}

function putChecked(
  source: Uint8Array,
  start: number,
  end: number,
  allowed: Uint8Array,
  code: number,
): void {
  const target = output;
  let good = 1;
  let to = length;
  for (let at = start; at < end; at += 1, to += 1) {
    const byte = source[at]!;
    good &= allowed[byte]!;
    target[to] = byte;
  }
  length = to;
  if (good === 0) fault = code;
}
