// Changes messages of a corpus byte by byte: what generators of well-formed parts never come to. Seeded, so
// that a finding can be repeated.
import type { Random } from "#/lib/seeded-random.ts";

/** What parsers decide by; one character for each byte. */
const words: readonly string[] = [
  "\r\n",
  "\r\n\r\n",
  "\r",
  "\n",
  "\0",
  " ",
  "\t",
  "\v",
  ":",
  ",",
  ";",
  '"',
  "\\",
  "%2e",
  "%",
  "/",
  "..",
  "?",
  "0",
  "1",
  "00",
  "0x",
  "+",
  "-",
  "ffffffff",
  "\u0080",
  "\u00ff",
  "HTTP/1.1",
  "HTTP/1.0",
  "chunked",
  "identity",
  "close",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Connection: close\r\n",
  "Connection: content-length\r\n",
  "Host: b\r\n",
  "X-Forwarded-Client-Cert: x\r\n",
  "Expect: 100-continue\r\n",
  "0\r\n\r\n",
  "5\r\nhello\r\n",
];

const changesMax = 4;
const rangeBytesMax = 24;

/** A message of the corpus with 1 to 4 changes. */
export function mutate(corpus: readonly Buffer[], random: Random): Buffer {
  const pick = (count: number): number => Math.floor(random() * count);
  const any = (): Buffer => corpus[pick(corpus.length)]!;
  let bytes = any();
  for (let left = 1 + pick(changesMax); left > 0; left -= 1) {
    const at = pick(bytes.length + 1);
    const to = Math.min(bytes.length, at + 1 + pick(rangeBytesMax));
    bytes = changed(bytes, at, to, { kind: pick(8), any, pick });
  }
  return bytes;
}

interface Change {
  readonly kind: number;
  readonly any: () => Buffer;
  readonly pick: (count: number) => number;
}

function changed(bytes: Buffer, at: number, to: number, { kind, any, pick }: Change): Buffer {
  const between = (middle: Buffer, from = at): Buffer =>
    Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(from)]);
  const word = (): Buffer => Buffer.from(words[pick(words.length)]!, "latin1");
  switch (kind) {
    case 0:
      return between(word());
    case 1:
      return between(word(), Math.min(bytes.length, at + 1));
    case 2:
      return between(Buffer.alloc(0), to);
    case 3:
      return between(bytes.subarray(at, to));
    case 4:
      return between(Buffer.of(pick(256)), Math.min(bytes.length, at + 1));
    case 5:
      return between(Buffer.of((bytes[at] ?? 0) ^ (1 << pick(8))), Math.min(bytes.length, at + 1));
    case 6: {
      const other = any();
      return between(other.subarray(pick(other.length + 1)), bytes.length);
    }
    default:
      return lineMoved(bytes, at);
  }
}

/** The line that begins after `at`, put first among the fields. */
function lineMoved(bytes: Buffer, at: number): Buffer {
  const start = bytes.indexOf("\r\n", at);
  const end = start < 0 ? -1 : bytes.indexOf("\r\n", start + 2);
  const first = bytes.indexOf("\r\n");
  if (end < 0 || first >= start) return bytes;
  const line = bytes.subarray(start, end);
  return Buffer.concat([
    bytes.subarray(0, first),
    line,
    bytes.subarray(first, start),
    bytes.subarray(end),
  ]);
}
