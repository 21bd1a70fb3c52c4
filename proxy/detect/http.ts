// Do the first bytes begin HTTP? Pure: looks, takes nothing, remembers nothing. What an HTTP/1 server
// could take for a request must be called one here, however odd, so that the strict parser refuses it
// rather than it passing as opaque bytes.

/** So much is looked at for a method that is none of the common ones. */
export const HTTP_DETECT_BYTES_MAX = 2048;

export type HttpVerdict = "http1" | "http2_preface" | "not_http";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
const METHOD_BYTES_MAX = 32;
const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;

/** Followed by a space and the first byte of a target these are HTTP without looking further. */
const COMMON_METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
]);
const BLANKS: ReadonlySet<number> = new Set(Buffer.from("\t\n\v\f\r ", "latin1"));
const TARGET_STARTS: ReadonlySet<number> = new Set(Buffer.from("/*hH", "latin1"));

const METHOD_BYTE: Uint8Array = new Uint8Array(256);
for (const byte of Buffer.from("!#$%&'*+-.^_`|~0123456789", "latin1")) METHOD_BYTE[byte] = 1;
for (let letter = 0x41; letter <= 0x5a; letter += 1) METHOD_BYTE[letter] = 1;
for (let letter = 0x61; letter <= 0x7a; letter += 1) METHOD_BYTE[letter] = 1;

/** `bytes` begin at the first byte of the connection; null asks for more of them. */
export function detectHttp(bytes: Buffer): HttpVerdict | null {
  const compared = Math.min(bytes.length, PREFACE.length);
  if (PREFACE.compare(bytes, 0, compared, 0, compared) === 0) {
    return compared === PREFACE.length ? "http2_preface" : null;
  }
  let start = 0;
  // Servers skip empty lines before a request, careless ones blanks too.
  while (start < bytes.length && BLANKS.has(bytes[start]!)) start += 1;
  if (start >= HTTP_DETECT_BYTES_MAX) return "not_http";
  let at = start;
  while (at < bytes.length && METHOD_BYTE[bytes[at]!] === 1) at += 1;
  if (at - start > METHOD_BYTES_MAX) return "not_http";
  if (at === bytes.length) return null;
  const common = COMMON_METHODS.has(bytes.toString("latin1", start, at));
  if (common && bytes[at] !== SPACE && BLANKS.has(bytes[at]!)) return "http1";
  if (bytes[at] !== SPACE || at === start) return "not_http";
  if (at + 1 === bytes.length) return null;
  if (common && TARGET_STARTS.has(bytes[at + 1]!)) return "http1";
  return readRequestLine(bytes, at);
}

/** Any other method or target: only a whole request line that names the protocol is HTTP. */
function readRequestLine(bytes: Buffer, from: number): HttpVerdict | null {
  const limit = Math.min(bytes.length, HTTP_DETECT_BYTES_MAX);
  for (let at = from; at < limit; at += 1) {
    const byte = bytes[at]!;
    if (byte === LF) {
      return namesHttp(bytes, bytes[at - 1] === CR ? at - 1 : at) ? "http1" : "not_http";
    }
    if (byte < SPACE && byte !== CR && byte !== 0x09) return "not_http";
  }
  return limit === HTTP_DETECT_BYTES_MAX ? "not_http" : null;
}

/** Whether the line that ends at `end` ends in `HTTP/` and a version, in any case. */
function namesHttp(bytes: Buffer, end: number): boolean {
  const version = bytes.toString("latin1", Math.max(0, end - 9), end).toLowerCase();
  return version.length === 9 && version.startsWith(" http/") && version[7] === ".";
}
