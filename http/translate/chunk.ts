// Content in chunks (RFC 9112 section 7.1), as HTTP/1 frames what has no announced length.

/** Ends a chunk's content. */
export const CHUNK_END: Buffer = Buffer.from("\r\n", "latin1");

/** Ends a message without trailers; trailer-lines.ts has those with. */
export const LAST_CHUNK: Buffer = Buffer.from("0\r\n\r\n", "latin1");

const HEX_DIGITS = Buffer.from("0123456789abcdef", "latin1");
/** The hexadecimal digits of 2^53 - 1, and two line ends. */
const FRAMING_BYTES_MAX = 14 + 4;

/** The line that begins a chunk of `length` bytes (more than 0: that would end the message). */
export function chunkStart(length: number): Buffer {
  if (length < 1) throw new RangeError(`Cannot begin a chunk of "${length}" bytes`);
  return Buffer.from(`${length.toString(16)}\r\n`, "latin1");
}

/**
 * `content` (not empty) as one chunk, in one buffer. It is copied: for more than some 16 KiB write chunkStart, the
 * content and CHUNK_END one after another.
 */
export function chunkOf(content: Buffer): Buffer {
  const { length } = content;
  if (length < 1) throw new RangeError("Cannot make a chunk of no bytes");
  const chunk = Buffer.allocUnsafe(length + FRAMING_BYTES_MAX);
  let digits = 1;
  for (let rest = Math.floor(length / 16); rest > 0; rest = Math.floor(rest / 16)) digits += 1;
  for (let at = digits - 1, rest = length; at >= 0; at -= 1) {
    chunk[at] = HEX_DIGITS[rest % 16]!;
    rest = Math.floor(rest / 16);
  }
  CHUNK_END.copy(chunk, digits);
  content.copy(chunk, digits + CHUNK_END.length);
  const end = digits + CHUNK_END.length + length;
  CHUNK_END.copy(chunk, end);
  return chunk.subarray(0, end + CHUNK_END.length);
}
