// The writer for lib/der.ts: plain functions from values to their one DER encoding. Arguments come
// from our own code, so what cannot be encoded is a programmer's error and asserts.
import { assert } from "./assert.ts";
import { derTag } from "./der.ts";

const utf8 = new TextEncoder();

/** Tag, minimal length, and the parts one after another. */
export function encodeElement(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  assert(length < 2 ** 24, "an element is shorter than 16 MiB");
  const lengthBytes = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
  const bytes = new Uint8Array(2 + lengthBytes + length);
  bytes[0] = tag;
  bytes[1] = lengthBytes === 0 ? length : 0x80 | lengthBytes;
  for (let index = 0; index < lengthBytes; index += 1) {
    bytes[1 + lengthBytes - index] = (length >>> (8 * index)) & 0xff;
  }
  let at = 2 + lengthBytes;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function encodeSequence(...parts: readonly Uint8Array[]): Uint8Array {
  return encodeElement(derTag.sequence, ...parts);
}

/** A SET OF: the parts are put into DER's order. */
export function encodeSet(...parts: readonly Uint8Array[]): Uint8Array {
  return encodeElement(derTag.set, ...parts.toSorted((a, b) => Buffer.compare(a, b)));
}

export function encodeBoolean(value: boolean): Uint8Array {
  return encodeElement(derTag.boolean, Uint8Array.of(value ? 0xff : 0));
}

/** A non-negative number given as its big-endian bytes; made minimal here. */
export function encodeUnsigned(magnitude: Uint8Array): Uint8Array {
  let first = 0;
  while (first < magnitude.length - 1 && magnitude[first] === 0) first += 1;
  const digits = magnitude.length === 0 ? Uint8Array.of(0) : magnitude.subarray(first);
  const sign = digits[0]! >= 0x80 ? Uint8Array.of(0) : new Uint8Array();
  return encodeElement(derTag.integer, sign, digits);
}

/** 0 to 2^31 - 1. */
export function encodeSmallInteger(value: number): Uint8Array {
  assert(Number.isInteger(value) && value >= 0 && value < 2 ** 31, "the integer is small");
  return encodeUnsigned(Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value));
}

/** From dotted text, as "2.5.29.17". */
export function encodeObjectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  assert(first <= 2 && (first === 2 || second < 40), "the object identifier has a valid start");
  const bytes: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    assert(Number.isSafeInteger(arc) && arc >= 0, "each arc is a natural number");
    const digits = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      digits.unshift(0x80 | (left % 128));
    }
    bytes.push(...digits);
  }
  return encodeElement(derTag.objectIdentifier, Uint8Array.from(bytes));
}

export function encodeBitString(bytes: Uint8Array, unusedBits: number = 0): Uint8Array {
  return encodeElement(derTag.bitString, Uint8Array.of(unusedBits), bytes);
}

export function encodeOctetString(...parts: readonly Uint8Array[]): Uint8Array {
  return encodeElement(derTag.octetString, ...parts);
}

export function encodeText(
  tag: typeof derTag.utf8String | typeof derTag.printableString | typeof derTag.ia5String,
  text: string,
): Uint8Array {
  return encodeElement(tag, utf8.encode(text));
}

/** RFC 5280 section 4.1.2.5: UTCTime up to 2049, GeneralizedTime after; fractions are cut off. */
export function encodeTime(timeMs: number): Uint8Array {
  const date = new Date(timeMs);
  const year = date.getUTCFullYear();
  assert(year >= 1950 && year <= 9999, "the year can be written");
  const isShort = year < 2050;
  const bytes = new Uint8Array(isShort ? 15 : 17);
  bytes[0] = isShort ? derTag.utcTime : derTag.generalizedTime;
  bytes[1] = bytes.length - 2;
  let at = 2;
  const put = (value: number): void => {
    bytes[at] = 0x30 + Math.floor(value / 10);
    bytes[at + 1] = 0x30 + (value % 10);
    at += 2;
  };
  if (!isShort) put(Math.floor(year / 100));
  put(year % 100);
  put(date.getUTCMonth() + 1);
  put(date.getUTCDate());
  put(date.getUTCHours());
  put(date.getUTCMinutes());
  put(date.getUTCSeconds());
  bytes[at] = 0x5a;
  return bytes;
}
