import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { bytesOf, readVectors } from "#/test/kit/vectors.ts";
import { HTTP_DETECT_BYTES_MAX, detectHttp } from "./http.ts";
import { DETECT_BYTES_MAX, detectProtocol } from "./protocol.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const long = "a".repeat(HTTP_DETECT_BYTES_MAX);

const verdicts: Readonly<Record<string, readonly string[]>> = {
  http1: [
    "GET /",
    "POST /a HTTP/1.1\r\n",
    "OPTIONS *",
    "GET http://b/ HTTP/1.1",
    "\r\nGET /",
    "\n\r\n\nGET /",
    "PURGE /a HTTP/1.1\r\n",
    "get / http/1.1\n",
    "GET a HTTP/1.1\r\n",
    "CONNECT b:443 HTTP/1.1\r\n",
    "PRI * HTTP/2.0\r\nHost: b\r\n",
    "PRI * HTTP/1.1\r\n",
    `GET /${long}`,
    "M-SEARCH * HTTP/1.1\r\n",
    "GET \\a HTTP/9.9\r\n",
    " GET / HTTP/1.1\r\n",
    "GET\t/ HTTP/1.1\r\n",
    "GET\n",
  ],
  http2_preface: [PREFACE, `${PREFACE}\0\0`],
  not_http: [
    "\0",
    "\x16\x03\x01",
    "SSH-2.0-OpenSSH\r\n",
    "*2\r\n$3\r\nGET\r\n",
    "EHLO b\r\n",
    "USER a\r\n",
    "get key\r\n",
    "GET key\r\n",
    "PING\r\n",
    "PRI * HTTP/2.1 x\n",
    "a".repeat(33),
    "GET: / HTTP/1.1\r\n",
    `PURGE /${long}`,
    "\r\n".repeat(HTTP_DETECT_BYTES_MAX / 2),
    "PURGE /\0 HTTP/1.1\r\n",
    "G\u00cbT / HTTP/1.1\r\n",
    ": /",
    "<stream:stream>",
    "RFB 003.008\n",
    "JOIN #a\r\n",
  ],
  more: [
    "",
    "G",
    "GET",
    "GET ",
    "\r\n",
    "PRI * HTTP/2.0\r\n\r\nS",
    "PURGE /a HTTP/1.1\r",
    "P",
    "GET key",
  ],
};

for (const [verdict, texts] of Object.entries(verdicts)) {
  for (const text of texts) {
    test(`http detection says ${verdict} of ${JSON.stringify(text.slice(0, 40))} (${text.length})`, (t) => {
      t.is(detectHttp(bytesOf(text)) ?? "more", verdict);
      let dripped = detectHttp(bytesOf(""));
      for (let end = 0; end <= text.length && dripped === null; end += 1) {
        dripped = detectHttp(bytesOf(text.slice(0, end)));
      }
      t.is(dripped ?? "more", verdict, "byte by byte");
    });
  }
}

/** No server takes these for a request: no method ends like this. */
const nobodysRequests: ReadonlySet<string> = new Set([
  "request line: method with brace",
  "request line: method with NUL",
  "request line: method non-ASCII",
  "request line: method with colon",
  "method of 33 bytes",
]);

test("attack-42 http detection lets no request that is refused pass as opaque bytes", (t) => {
  const refused = readVectors("http1/request-refused.json") as readonly {
    name: string;
    bytes: string;
  }[];
  for (const { name, bytes } of refused) {
    const opaque = detectHttp(bytesOf(bytes)) === "not_http";
    t.is(opaque, nobodysRequests.has(name), name);
  }
});

test("protocol detection joins the verdicts", (t) => {
  const kind = (text: string): string => detectProtocol(bytesOf(text))?.kind ?? "more";
  t.is(kind("GET / HTTP/1.1\r\n"), "http1");
  t.is(kind(PREFACE), "http2");
  t.is(kind("\0\0"), "other");
  t.is(kind("\x15\x03\x01"), "other");
  t.is(kind("\x16"), "more");
  t.is(kind("\x16\x03\x01\x00\x05\x01\xff\xff\xff\x03"), "malformed_tls");
  t.is(kind(""), "more");
});

test("protocol detection property: any cut gives the same verdict, and it comes within the limit", (t) => {
  const start = fc.constantFrom(
    "GET /",
    "PRI * HTTP/2.0\r\n\r\nSM",
    "\x16\x03\x01\x00",
    "PURGE ",
    "\r\n",
    "",
  );
  const rest = fc.uint8Array({ maxLength: 60 }).map((bytes) => String.fromCharCode(...bytes));
  fc.assert(
    fc.property(start, rest, (front, text) => {
      const bytes = bytesOf(front + text);
      let dripped = detectProtocol(bytes.subarray(0, 0));
      for (let end = 1; end <= bytes.length && dripped === null; end += 1) {
        dripped = detectProtocol(bytes.subarray(0, end));
      }
      t.deepEqual(dripped, detectProtocol(bytes));
      const filled = Buffer.concat([bytes, Buffer.alloc(DETECT_BYTES_MAX, "a")]);
      t.not(detectProtocol(filled), null);
    }),
    fuzzOptions(t, 1000),
  );
});
