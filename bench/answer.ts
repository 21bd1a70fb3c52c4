// Just enough HTTP/1.1 to know where a fixed answer ends. For the load generator only: it trusts its
// peer, which no other part of this project may. Pure.

export interface Answer {
  readonly status: number;
  /** Head and body together, bytes. */
  readonly length: number;
}

/** null while the head is not complete. Throws when the answer has no Content-Length. */
export function answerLength(bytes: Buffer): Answer | null {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const head = bytes.toString("latin1", 0, end + 2);
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1];
  if (length === undefined) throw new Error("The answer has no Content-Length");
  return { status: Number(head.slice(9, 12)), length: end + 4 + Number(length) };
}
