// A head and the body bytes that came with it, as one buffer: one write, one TLS record. When the head
// is a view of the received bytes nothing is copied.

/** `head` followed by bytes[headEnd, bodyEnd). */
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
