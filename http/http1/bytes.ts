// Byte classes of HTTP/1 as lookup tables: one load per byte instead of a chain of comparisons.

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const PERCENT = 0x25;
export const COMMA = 0x2c;
export const DOT = 0x2e;
export const SLASH = 0x2f;
export const ZERO = 0x30;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const QUERY = 0x3f;

/** 1 where a byte may be part of a token (RFC 9110 section 5.6.2). */
export const TOKEN: Uint8Array = tableOf(
  (byte) => isAlphanumeric(byte) || "!#$%&'*+-.^_`|~".includes(String.fromCharCode(byte)),
);

/** 1 where a byte may be part of a field value: HTAB, SP, VCHAR, obs-text (RFC 9110 section 5.5). */
export const VALUE: Uint8Array = tableOf(
  (byte) => byte === TAB || (byte >= SPACE && byte !== 0x7f),
);

/** Lower case, and `_` as `-`: how names are compared where both spellings reach one variable. */
export const FOLD: Uint8Array = new Uint8Array(256).map((_, byte) => {
  if (byte >= 0x41 && byte <= 0x5a) return byte + 32;
  return byte === 0x5f ? 0x2d : byte;
});

/** Lower case. */
const LOWER: Uint8Array = new Uint8Array(256).map((_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte,
);

/** Value of a hexadecimal digit, 255 for any other byte. */
export const HEX: Uint8Array = new Uint8Array(256).map((_, byte) => {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 32;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : 255;
});

/** A table of 0 and 1 from a predicate over bytes. */
export function tableOf(holds: (byte: number) => boolean): Uint8Array {
  return new Uint8Array(256).map((_, byte) => (holds(byte) ? 1 : 0));
}

export function isAlphanumeric(byte: number): boolean {
  const lower = byte | 32;
  return (byte >= 0x30 && byte <= 0x39) || (lower >= 0x61 && lower <= 0x7a && byte < 0x80);
}

/** ASCII text as bytes. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Whether buffer[start, end) is `lower` (lower case already) in any case. */
export function equalsIgnoringCase(
  buffer: Uint8Array,
  start: number,
  end: number,
  lower: Uint8Array,
): boolean {
  if (end - start !== lower.length) return false;
  for (let index = 0; index < lower.length; index += 1) {
    if (LOWER[buffer[start + index]!] !== lower[index]) return false;
  }
  return true;
}

/** Whether two ranges of one buffer are the same text in any case. */
export function sameIgnoringCase(
  buffer: Uint8Array,
  start: number,
  end: number,
  otherStart: number,
  otherEnd: number,
): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let index = 0; index < end - start; index += 1) {
    if (LOWER[buffer[start + index]!] !== LOWER[buffer[otherStart + index]!]) return false;
  }
  return true;
}

/** buffer[start, end) as text, each byte one character. */
export function textOf(buffer: Buffer, start: number, end: number): string {
  return (buffer as Buffer & { latin1Slice(start: number, end: number): string }).latin1Slice(
    start,
    end,
  );
}
