// Chunked bodies that two recipients could end at two places (attacks 42, 43, 50).
import { casesOf, chunk, chunked, lastChunk, post, smuggled } from "./case.ts";
import type { HostileCase, Row } from "./case.ts";

const end = lastChunk + smuggled;

const sizes: readonly Row[] = [
  ["0x", "0x5\r\nhello\r\n"],
  ["plus", "+5\r\nhello\r\n"],
  ["minus", "-5\r\nhello\r\n"],
  ["minus nothing", `5\r\nhello\r\n-0\r\n\r\n${smuggled}`],
  ["blank before", " 5\r\nhello\r\n"],
  ["blank after", "5 \r\nhello\r\n"],
  ["tab after", "5\t\r\nhello\r\n"],
  ["blanks before an extension", "5 ;a=b\r\nhello\r\n"],
  ["underscore", "0_5\r\nhello\r\n"],
  ["none", "\r\nhello\r\n"],
  ["no digit", "g\r\nhello\r\n"],
  ["h after", "5h\r\nhello\r\n"],
  ["quoted", '"5"\r\nhello\r\n'],
  ["NUL after", "5\0\r\nhello\r\n"],
  ["high byte after", "5\u0085\r\nhello\r\n"],
  ["of 2^64 and 5", "10000000000000005\r\nhello\r\n"],
  ["of 2^32 and 5", "100000005\r\nhello\r\n"],
  ["of 2^63", "8000000000000000\r\nhello\r\n"],
  ["of 2^64 - 1", "ffffffffffffffff\r\nhello\r\n"],
  ["comma", "5,5\r\nhello\r\n"],
  ["bare LF", "5\nhello\r\n"],
  ["bare CR", "5\rhello\r\n"],
  ["CR CR LF", "5\r\r\nhello\r\n"],
];

const ends: readonly Row[] = [
  ["no line end", "5\r\nhello"],
  ["bare LF", "5\r\nhello\n"],
  ["bare CR", "5\r\nhello\r"],
  ["one byte too many", "5\r\nhello!\r\n"],
  ["two bytes in place of the line end", "5\r\nhelloXX"],
  ["LF CR", "5\r\nhello\n\r"],
  ["empty line more", "5\r\nhello\r\n\r\n"],
  ["last line by bare LF", `5\r\nhello\r\n0\r\n\n${smuggled}`],
  ["last line by bare CR", `5\r\nhello\r\n0\r\n\rX${smuggled}`],
  ["last size by bare LF", `5\r\nhello\r\n0\n\r\n${smuggled}`],
  ["\\r\\n\\rX", `0\r\n\r\rX${smuggled}`],
];

const extensions: readonly Row[] = [
  ["LF inside", `5;\n${smuggled}`],
  ["LF in a value", "5;a=b\nhello\r\n"],
  ["LF in quotes", '5;a="\n"\r\nhello\r\n'],
  ["CR inside", "5;a\rb\r\nhello\r\n"],
  ["CR LF in quotes", `5;a="\r\nhello\r\n0\r\n\r\n${smuggled}"\r\nhello\r\n`],
  ["CR in a quoted pair", '5;a="\\\r\nhello\r\n'],
  ["quotes not closed", '5;a="b\r\nhello\r\n'],
  ["NUL", "5;a\0\r\nhello\r\n"],
  ["empty", "5;\r\nhello\r\n"],
  ["two semicolons", "5;;a\r\nhello\r\n"],
  ["no name", "5;=b\r\nhello\r\n"],
  ["two equals", "5;a==b\r\nhello\r\n"],
  ["blanks", "5; a = b\r\nhello\r\n"],
  ["longer than is allowed", `5;${"a".repeat(300)}\r\nhello\r\n`],
];

const trailers: readonly string[] = [
  "Content-Length: 5",
  "Transfer-Encoding: chunked",
  "Host: c",
  "Connection: close",
  "Trailer: x",
  "X-Forwarded-Client-Cert: URI=spiffe://cluster.local/ns/x/sa/x",
  "x_forwarded_client_cert: URI=spiffe://cluster.local/ns/x/sa/x",
  "X-Signet-Identity: x",
  "l5d-client-id: x",
  "Authorization: Bearer x",
  "Cookie: a=b",
  "X-Forwarded-For: 10.0.0.1",
  "Content_Length: 5",
  "Expect: 100-continue",
  "Upgrade: h2c",
];

const badTrailers: readonly Row[] = [
  ["LF alone", "X: y\n\r\n"],
  ["CR alone", "X: y\rZ: z\r\n\r\n"],
  ["folded", "X: y\r\n z\r\n\r\n"],
  ["blank before the colon", "X : y\r\n\r\n"],
  ["no colon", "GET /marker HTTP/1.1\r\n\r\n"],
  ["no name", ": y\r\n\r\n"],
  ["NUL", "X: \0\r\n\r\n"],
  ["more than is allowed", `${`X: ${"y".repeat(100)}\r\n`.repeat(100)}\r\n`],
];

const good: readonly Row[] = [
  ["zeros before the size", `005\r\nhello\r\n${lastChunk}`, 1],
  ["many zeros at the end", `5\r\nhello\r\n0000\r\n\r\n`, 1],
  ["upper-case size", `A\r\n0123456789\r\n${lastChunk}`, 1],
  ["an extension", chunk("hello", ";a=b;c") + lastChunk, 1],
  ["a size in quotes of an extension", chunk("hello", ';a="0;\\"5"') + lastChunk, 1],
  ["an extension at the end", `5\r\nhello\r\n0;a\r\n\r\n`, 1],
  ["a trailer", `5\r\nhello\r\n0\r\nX-A: b\r\n\r\n`, 1],
  ["a chunk for each byte", smuggled.replaceAll(/[^]/g, (byte) => chunk(byte)) + lastChunk, 1],
  ["an end inside of a chunk", chunk(end) + lastChunk, 1],
];

export const chunks: readonly HostileCase[] = [
  ...casesOf(42, [
    ...sizes.map(([name, body]): Row => [`size: ${name}`, post(chunked) + body + end]),
    ...ends.map(([name, body]): Row => [`end of a chunk: ${name}`, post(chunked) + body + end]),
    ...extensions.map(([name, body]): Row => [`extension: ${name}`, post(chunked) + body + end]),
    ...good.map(([name, body, passes]): Row => [name, post(chunked) + body, passes!]),
  ]),
  ...casesOf(43, [
    ...trailers.map((line): Row => [
      `trailer: ${line}`,
      `${post(chunked)}5\r\nhello\r\n0\r\n${line}\r\n\r\n${smuggled}`,
    ]),
    ...badTrailers.map(([name, lines]): Row => [
      `trailer: ${name}`,
      `${post(chunked)}5\r\nhello\r\n0\r\n${lines}${smuggled}`,
    ]),
  ]),
];
