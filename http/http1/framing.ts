// How long the body is (RFC 9112 section 6): the rules that requests and responses share. Whatever two
// recipients could read differently is refused (attack 42).
import { COMMA, TOKEN, ZERO, ascii, equalsIgnoringCase } from "./bytes.ts";
import type { FieldIndex } from "./field-index.ts";
import { KIND, kindSet } from "./field-kind.ts";
import { CODE } from "./refusal.ts";

/** How the body ends. */
export const BODY = {
  none: 0,
  /** After `contentLength` bytes (never 0: that is `none`). */
  length: 1,
  chunked: 2,
  /** With the connection: responses only. */
  close: 3,
} as const;
export type BodyKind = (typeof BODY)[keyof typeof BODY];

/** Decimal digits of 2^53 - 1. */
const LENGTH_DIGITS_MAX = 16;

const BOTH = kindSet(KIND.contentLength, KIND.transferEncoding);
const CHUNKED = ascii("chunked");

/** Chunked, or a length, or neither. */
export const FRAMING_NEITHER: -1 = -1;
export const FRAMING_CHUNKED: -2 = -2;
/** Refusal codes are moved down by this, out of the way of the two above. */
const REFUSED_BASE = -1000;

/**
 * The content length (>= 0), FRAMING_NEITHER, FRAMING_CHUNKED, or a number for `framingRefusal`.
 */
export function readFraming(fields: FieldIndex, buffer: Uint8Array, minor: number): number {
  const seen = fields.seen;
  if ((seen & (BOTH | (1 << KIND.disguisedFraming))) === 0) return FRAMING_NEITHER;
  if (fields.has(KIND.disguisedFraming)) return REFUSED_BASE + CODE.disguised_framing_name;
  if ((seen & BOTH) === BOTH) return REFUSED_BASE + CODE.ambiguous_framing;
  if (fields.has(KIND.contentLength)) {
    if ((fields.repeated & (1 << KIND.contentLength)) !== 0) {
      return REFUSED_BASE + CODE.content_length_repeated;
    }
    const field = fields.first[KIND.contentLength]!;
    return readContentLength(buffer, fields.valueStart(field), fields.valueEnd(field));
  }
  if ((fields.repeated & (1 << KIND.transferEncoding)) !== 0) {
    return REFUSED_BASE + CODE.transfer_encoding_repeated;
  }
  if (minor === 0) return REFUSED_BASE + CODE.transfer_encoding_on_1_0;
  const field = fields.first[KIND.transferEncoding]!;
  return readCoding(buffer, fields.valueStart(field), fields.valueEnd(field));
}

/** The refusal code in an answer of `readFraming`, or 0. */
export function framingRefusal(framing: number): number {
  return framing < FRAMING_CHUNKED ? framing - REFUSED_BASE : 0;
}

/** The length (>= 0) that a value of Content-Length says, or a number for `framingRefusal`. */
export function readContentLength(buffer: Uint8Array, start: number, end: number): number {
  const digits = end - start;
  const bad = REFUSED_BASE + CODE.bad_content_length;
  if (digits < 1 || digits > LENGTH_DIGITS_MAX) return bad;
  // A leading zero is octal to some readers.
  if (digits > 1 && buffer[start] === ZERO) return bad;
  let length = 0;
  for (let at = start; at < end; at += 1) {
    const digit = buffer[at]! - ZERO;
    if (buffer[at] === COMMA) return REFUSED_BASE + CODE.content_length_repeated;
    if (digit < 0 || digit > 9) return bad;
    length = length * 10 + digit;
  }
  return length <= Number.MAX_SAFE_INTEGER ? length : bad;
}

function readCoding(buffer: Uint8Array, start: number, end: number): number {
  if (equalsIgnoringCase(buffer, start, end, CHUNKED)) return FRAMING_CHUNKED;
  let at = start;
  while (at < end && TOKEN[buffer[at]!] !== 0) at += 1;
  const isToken = at > start && (at === end || buffer[at] === COMMA);
  const beginsChunked = equalsIgnoringCase(buffer, start, at, CHUNKED);
  return (
    REFUSED_BASE +
    (isToken && !beginsChunked ? CODE.transfer_coding_unknown : CODE.bad_transfer_encoding)
  );
}
