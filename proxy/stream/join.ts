// Bytes that belong together, as one buffer: one write, one TLS record. Nothing is copied that lies together
// already.

/** `held` and what came after it; copied only where each has some. */
export function appended(held: Buffer | null, bytes: Buffer): Buffer {
  if (held === null) return bytes;
  return bytes.length === 0 ? held : Buffer.concat([held, bytes]);
}

/** `head` followed by bytes[start, end): one view of both where they lie together. */
export function joined(head: Buffer, bytes: Buffer, start: number, end: number): Buffer {
  const count = end - start;
  if (count === 0) return head;
  if (head.buffer === bytes.buffer && head.byteOffset + head.length === bytes.byteOffset + start) {
    if (head.byteOffset === bytes.byteOffset && end === bytes.length) return bytes;
    return Buffer.from(head.buffer, head.byteOffset, head.length + count);
  }
  const both = Buffer.allocUnsafe(head.length + count);
  head.copy(both, 0);
  bytes.copy(both, head.length, start, end);
  return both;
}
