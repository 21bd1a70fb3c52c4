// A strict reader of DER (X.690): definite minimal lengths, low tag numbers, canonical integers,
// booleans, bit strings, object identifiers and sets. `readDer` checks the whole tree once, before
// anything is believed; what is read afterwards are views into the same bytes, never copies. Throws
// DerError and nothing else. The writer is der-encode.ts.
import { objectIdentifierText } from "./der-oid.ts";
import { MeshError } from "./errors.ts";

export type DerErrorCode =
  | "der_too_large"
  | "der_too_deep"
  | "der_truncated"
  | "der_length_invalid"
  | "der_tag_unsupported"
  | "der_tag_unexpected"
  | "der_trailing_bytes"
  | "der_value_invalid";

export class DerError extends MeshError<DerErrorCode> {}

/** Identifier octets of the types in use here; context-specific ones come from `contextTag`. */
export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Identifier octet of context-specific tag `number` (0 to 30). */
export function contextTag(number: number, form: "primitive" | "constructed"): number {
  return 0x80 | (form === "constructed" ? 0x20 : 0) | number;
}

export interface DerLimits {
  /** Of the whole; checked before the first byte is read. */
  readonly bytesMax: number;
  /** Of nested constructed elements. */
  readonly depthMax: number;
}

/** Large enough for any certificate of ours (some 700 bytes, at most 10 deep). */
export const derLimits: DerLimits = { bytesMax: 16_384, depthMax: 16 };

/** One element: a view of `source`, which must not change while it is in use. */
export class DerElement {
  readonly source: Uint8Array;
  readonly tag: number;
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;

  constructor(source: Uint8Array, tag: number, start: number, contentStart: number, end: number) {
    this.source = source;
    this.tag = tag;
    this.start = start;
    this.contentStart = contentStart;
    this.end = end;
  }

  /** Tag, length and content. */
  get whole(): Uint8Array {
    return this.source.subarray(this.start, this.end);
  }

  get content(): Uint8Array {
    return this.source.subarray(this.contentStart, this.end);
  }
}

/** Reads the children of one constructed element, in order. */
export class DerReader {
  readonly #parent: DerElement;
  #at: number;

  constructor(parent: DerElement) {
    this.#parent = parent;
    this.#at = parent.contentStart;
  }

  /** Tag of the next child, or null at the end. */
  get nextTag(): number | null {
    return this.#at < this.#parent.end ? (this.#parent.source[this.#at] ?? null) : null;
  }

  /** The next child, whatever it is; throws at the end. */
  next(): DerElement {
    const element = readElement(this.#parent.source, this.#at, this.#parent.end);
    this.#at = element.end;
    return element;
  }

  /** The next child, which must have this tag. */
  take(tag: number): DerElement {
    const element = this.next();
    expectTag(element, tag);
    return element;
  }

  /** The next child when it has this tag, else null and nothing is passed over. */
  takeIf(tag: number): DerElement | null {
    return this.nextTag === tag ? this.next() : null;
  }

  /** The children of the next child, which must have this tag. */
  open(tag: number): DerReader {
    return new DerReader(this.take(tag));
  }

  /** Throws unless every child has been read. */
  finish(): void {
    if (this.#at !== this.#parent.end) {
      throw fail("der_trailing_bytes", "more elements follow than belong there", this.#at);
    }
  }
}

/** The one element that `bytes` are. The whole tree below it is canonical when this returns. */
export function readDer(bytes: Uint8Array, limits: DerLimits = derLimits): DerElement {
  if (bytes.length > limits.bytesMax) {
    const sizes = `${bytes.length} bytes are more than ${limits.bytesMax}`;
    throw new DerError("der_too_large", `Cannot read DER: ${sizes}`);
  }
  const element = readElement(bytes, 0, bytes.length);
  if (element.end !== bytes.length) {
    throw fail("der_trailing_bytes", "bytes follow the element", element.end);
  }
  checkTree(element, limits.depthMax);
  return element;
}

/** Children of `element`, which must have `tag`. */
export function openDer(element: DerElement, tag: number): DerReader {
  expectTag(element, tag);
  return new DerReader(element);
}

export function readBoolean(element: DerElement): boolean {
  expectTag(element, derTag.boolean);
  checkBoolean(element);
  return element.source[element.contentStart] === 0xff;
}

/** Two's complement, big-endian, minimal: a positive number may begin with a zero byte. */
export function readInteger(element: DerElement): Uint8Array {
  expectTag(element, derTag.integer);
  checkInteger(element);
  return element.content;
}

/** An integer from 0 to 2^31 - 1. */
export function readSmallInteger(element: DerElement): number {
  const content = readInteger(element);
  if (content.length > 4 || content[0]! >= 0x80) {
    throw fail("der_value_invalid", "integer is out of range", element.start);
  }
  return content.reduce((value, byte) => value * 256 + byte, 0);
}

/** Dotted text, as "1.2.840.10045.2.1". */
export function readObjectIdentifier(element: DerElement): string {
  expectTag(element, derTag.objectIdentifier);
  checkObjectIdentifier(element);
  const text = objectIdentifierText(element.source, element.contentStart, element.end);
  if (text !== null) return text;
  throw fail("der_value_invalid", "object identifier is out of range", element.start);
}

export interface BitString {
  readonly bytes: Uint8Array;
  /** Bits of the last byte that do not count; they are zero. */
  readonly unusedBits: number;
}

export function readBitString(element: DerElement): BitString {
  expectTag(element, derTag.bitString);
  checkBitString(element);
  const { source, contentStart, end } = element;
  return { bytes: source.subarray(contentStart + 1, end), unusedBits: source[contentStart]! };
}

export function readOctetString(element: DerElement): Uint8Array {
  expectTag(element, derTag.octetString);
  return element.content;
}

/**
 * UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 has them: to the second, in UTC, the first
 * for years up to 2049 and the second from 2050. Milliseconds since the Unix epoch.
 */
export function readTime(element: DerElement): number {
  const isShort = element.tag === derTag.utcTime;
  if (!isShort) expectTag(element, derTag.generalizedTime);
  const { source, contentStart, end, start } = element;
  const afterYear = contentStart + (isShort ? 2 : 4);
  const isForm = end === afterYear + 11 && source[end - 1] === 0x5a;
  const read = isForm ? readDigits(source, contentStart, afterYear) : Number.NaN;
  const year = isShort ? read + (read < 50 ? 2000 : 1900) : read;
  const month = readDigits(source, afterYear, afterYear + 2);
  const day = readDigits(source, afterYear + 2, afterYear + 4);
  const hour = readDigits(source, afterYear + 4, afterYear + 6);
  const minute = readDigits(source, afterYear + 6, afterYear + 8);
  const second = readDigits(source, afterYear + 8, afterYear + 10);
  if (Number.isNaN(year + month + day + hour + minute + second)) {
    throw fail("der_value_invalid", "time has another form", start);
  }
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  // Date.UTC carries over what is out of range (month 13, February 30), and then differs.
  const isDay = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  const isReal = isDay && hour < 24 && minute < 60 && second < 60;
  if (!isReal || (!isShort && year < 2050)) {
    throw fail("der_value_invalid", "time is out of range", start);
  }
  return date.getTime();
}

/** NaN unless all of them are digits. */
function readDigits(source: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let index = start; index < end; index += 1) {
    const digit = (source[index] ?? 0) - 0x30;
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
  }
  return value;
}

/** ASCII from space to tilde, so no NUL and no line break; throws for anything else. */
export function readVisibleText(element: DerElement): string {
  const { source, contentStart, end } = element;
  for (let index = contentStart; index < end; index += 1) {
    const byte = source[index]!;
    if (byte < 0x20 || byte > 0x7e) {
      throw fail("der_value_invalid", "text has a byte that is not visible ASCII", index);
    }
  }
  const start = source.byteOffset + contentStart;
  return Buffer.from(source.buffer, start, end - contentStart).toString("latin1");
}

function readElement(source: Uint8Array, start: number, limit: number): DerElement {
  if (limit - start < 2) throw fail("der_truncated", "element is cut off", start);
  const tag = source[start]!;
  if ((tag & 0x1f) === 0x1f) throw fail("der_tag_unsupported", "tag number is above 30", start);
  const first = source[start + 1]!;
  if (first < 0x80) return bounded(source, tag, start, start + 2, first, limit);
  const lengthBytes = first & 0x7f;
  // 0 would be the indefinite form; 4 bytes are 4 GiB already.
  if (lengthBytes === 0 || lengthBytes > 4) {
    throw fail("der_length_invalid", "length is indefinite or too long", start);
  }
  const contentStart = start + 2 + lengthBytes;
  if (contentStart > limit) throw fail("der_truncated", "length is cut off", start);
  let length = 0;
  for (let index = start + 2; index < contentStart; index += 1) {
    length = length * 256 + source[index]!;
  }
  if (length < 0x80 || source[start + 2] === 0) {
    throw fail("der_length_invalid", "length is not minimal", start);
  }
  return bounded(source, tag, start, contentStart, length, limit);
}

function bounded(
  source: Uint8Array,
  tag: number,
  start: number,
  contentStart: number,
  length: number,
  limit: number,
): DerElement {
  if (length > limit - contentStart) throw fail("der_truncated", "content is cut off", start);
  return new DerElement(source, tag, start, contentStart, contentStart + length);
}

function checkTree(element: DerElement, depthLeft: number): void {
  checkForm(element);
  if ((element.tag & 0x20) === 0) return;
  if (depthLeft === 0) throw fail("der_too_deep", "elements are nested too deep", element.start);
  let previous: DerElement | null = null;
  for (let at = element.contentStart; at < element.end;) {
    const child = readElement(element.source, at, element.end);
    checkTree(child, depthLeft - 1);
    if (element.tag === derTag.set && previous !== null) checkOrder(previous, child);
    previous = child;
    at = child.end;
  }
}

/** Universal types have one form each in DER, and canonical content. */
function checkForm(element: DerElement): void {
  if ((element.tag & 0xc0) !== 0) return;
  const isStructure = (element.tag & 0x1f) === 0x10 || (element.tag & 0x1f) === 0x11;
  if (isStructure !== ((element.tag & 0x20) !== 0) || element.tag === 0) {
    throw fail("der_tag_unsupported", "type does not have this form", element.start);
  }
  if (element.tag === derTag.boolean) checkBoolean(element);
  else if (element.tag === derTag.integer) checkInteger(element);
  else if (element.tag === derTag.bitString) checkBitString(element);
  else if (element.tag === derTag.objectIdentifier) checkObjectIdentifier(element);
  else if (element.tag === derTag.null && element.end !== element.contentStart) {
    throw fail("der_value_invalid", "null has content", element.start);
  }
}

function checkBoolean({ source, contentStart, end, start }: DerElement): void {
  const byte = source[contentStart];
  if (end - contentStart !== 1 || (byte !== 0 && byte !== 0xff)) {
    throw fail("der_value_invalid", "boolean is neither 00 nor FF", start);
  }
}

function checkInteger({ source, contentStart, end, start }: DerElement): void {
  const length = end - contentStart;
  if (length === 0) throw fail("der_value_invalid", "integer is empty", start);
  if (length === 1) return;
  const first = source[contentStart]!;
  const isSignNext = source[contentStart + 1]! >= 0x80;
  if ((first === 0 && !isSignNext) || (first === 0xff && isSignNext)) {
    throw fail("der_value_invalid", "integer is not minimal", start);
  }
}

function checkBitString({ source, contentStart, end, start }: DerElement): void {
  const unused = source[contentStart] ?? 8;
  const isEmpty = end - contentStart < 2;
  const padding = isEmpty ? 0 : source[end - 1]! & ((1 << unused) - 1);
  if (end === contentStart || unused > 7 || (isEmpty && unused !== 0) || padding !== 0) {
    throw fail("der_value_invalid", "bit string has padding that is not canonical", start);
  }
}

function checkObjectIdentifier({ source, contentStart, end, start }: DerElement): void {
  let isArcStart = true;
  for (let index = contentStart; index < end; index += 1) {
    const byte = source[index]!;
    if (isArcStart && byte === 0x80) {
      throw fail("der_value_invalid", "object identifier is not minimal", start);
    }
    isArcStart = byte < 0x80;
  }
  if (end === contentStart || !isArcStart) {
    throw fail("der_value_invalid", "object identifier is cut off", start);
  }
}

/** SET OF is in ascending order of its encodings; equal ones may stand beside each other. */
function checkOrder(before: DerElement, after: DerElement): void {
  if (Buffer.compare(before.whole, after.whole) > 0) {
    throw fail("der_value_invalid", "set is not in order", after.start);
  }
}

function expectTag(element: DerElement, tag: number): void {
  if (element.tag === tag) return;
  const tags = `tag ${hex(element.tag)} stands where ${hex(tag)} belongs`;
  throw fail("der_tag_unexpected", tags, element.start);
}

function hex(tag: number): string {
  return `0x${tag.toString(16).padStart(2, "0")}`;
}

function fail(code: DerErrorCode, state: string, at: number): DerError {
  return new DerError(code, `Cannot read DER: ${state} at byte ${at}`);
}
