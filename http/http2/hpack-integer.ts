// Integers of HPACK (RFC 7541 section 5.1): a prefix in the first byte, then seven bits a byte.

/** More bytes after the first are refused: 2^28 is more than anything here may count. */
const CONTINUATIONS_MAX = 4;

/** Bytes that one integer takes at most when we write it. */
export const INTEGER_BYTES_MAX = 6;

/** Reads one integer after another; `at` is where the last one ended. */
export class IntegerReader {
  at = 0;

  /**
   * The integer whose first byte is buffer[start], with `prefixBits` (1 to 8) of it; -1 when it does not
   * end before `end` or is too long.
   */
  read(buffer: Uint8Array, start: number, end: number, prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    this.at = start + 1;
    if (start >= end) return -1;
    const prefix = buffer[start]! & mask;
    return prefix < mask ? prefix : this.#readRest(buffer, end, mask);
  }

  #readRest(buffer: Uint8Array, end: number, mask: number): number {
    let value = mask;
    let shift = 0;
    for (let count = 0; count < CONTINUATIONS_MAX && this.at < end; count += 1) {
      const byte = buffer[this.at]!;
      this.at += 1;
      value += (byte & 127) << shift;
      shift += 7;
      if (byte < 128) return value;
    }
    return -1;
  }
}

/**
 * Writes `value` (below 2^31) at target[at] with `pattern` in the bits above the prefix. Returns the
 * offset after it.
 */
export function writeInteger(
  target: Uint8Array,
  at: number,
  value: number,
  prefixBits: number,
  pattern: number,
): number {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    target[at] = pattern | value;
    return at + 1;
  }
  target[at] = pattern | mask;
  let to = at + 1;
  let rest = value - mask;
  while (rest >= 128) {
    target[to] = (rest & 127) | 128;
    rest >>>= 7;
    to += 1;
  }
  target[to] = rest;
  return to + 1;
}
