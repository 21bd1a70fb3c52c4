// Bytes that belong together, as one buffer: one write, one TLS record. Nothing is copied that lies together
// already.

/** `held` and what came after it; copied only where each has some. */
export function appended(held: Buffer | null, bytes: Buffer): Buffer {
  if (held === null) return bytes;
  return bytes.length === 0 ? held : Buffer.concat([held, bytes]);
}

/** `head` followed by bytes[headEnd, bodyEnd), the part of its body that came with it. */
export function joinBody(head: Buffer, bytes: Buffer, headEnd: number, bodyEnd: number): Buffer {
  if (bodyEnd === headEnd) return head;
  const isView =
    head.buffer === bytes.buffer && head.byteOffset + head.length === bytes.byteOffset + headEnd;
  if (isView) {
    const start = head.byteOffset - bytes.byteOffset;
    return start === 0 && bodyEnd === bytes.length ? bytes : bytes.subarray(start, bodyEnd);
  }
  const bodyBytes = bodyEnd - headEnd;
  const joined = Buffer.allocUnsafe(head.length + bodyBytes);
  head.copy(joined, 0);
  bytes.copy(joined, head.length, headEnd, bodyEnd);
  return joined;
}
