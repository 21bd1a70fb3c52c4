// Lines that end or begin where recipients disagree, and request lines that are none (attacks 40, 42 to 45).
import { casesOf, chunked, get, lastChunk, length, marker, post, smuggled } from "./case.ts";
import type { HostileCase, Row } from "./case.ts";

const start = "GET /sent HTTP/1.1";
const host = "Host: b";

const ends: readonly Row[] = [
  ["bare LF everywhere", get().replaceAll("\r\n", "\n")],
  ["bare LF after the request line", get().replace("\r\n", "\n")],
  ["bare LF after a field", `${start}\r\n${host}\nX: y\r\n\r\n`],
  ["bare LF in place of the empty line", `${start}\r\n${host}\r\n\n`],
  ["bare LF at both ends of the head", `${start}\r\n${host}\n\n`],
  ["bare CR everywhere", get().replaceAll("\r\n", "\r")],
  ["bare CR after the request line", `${start}\r${host}\r\n\r\n`],
  ["bare CR in a value", `${start}\r\n${host}\r\nX: y\rZ: z\r\n\r\n`],
  ["bare CR at a value's end", `${start}\r\n${host}\r\nX: y\r\r\n\r\n`],
  ["\\r\\n\\rX", `${start}\r\n${host}\r\n\rX: y\r\n\r\n`],
  ["\\r\\n\\r and a length", `POST /sent HTTP/1.1\r\n${host}\r\n\rContent-Length: 5\r\n\r\nhello`],
  ["LF CR", `${start}\n\r${host}\n\r\n\r`],
  ["two empty lines first", `\r\n\r\n${get()}`],
  ["a bare LF first", `\n${get()}`],
  ["a bare CR first", `\r${get()}`],
  ["blanks first", `  ${get()}`],
  ["NUL first", `\0${get()}`],
];

const fields: readonly Row[] = [
  ["folded", "X: y\r\n z"],
  ["folded, nothing but blanks", "X: y\r\n \r\nZ: z"],
  ["folded by a tab", "X: y\r\n\tz"],
  ["folded as the first", ` X: y`],
  ["blank before the colon", "X : y"],
  ["tab before the colon", "X\t: y"],
  ["blank in the name", "X Y: z"],
  ["no colon", "X"],
  ["no name", ": y"],
  ["NUL in the name", "X\0: y"],
  ["NUL in the value", "X: a\0b"],
  ["DEL in the value", "X: a\x7fb"],
  ["escape in the value", "X: a\x1bb"],
  ["high byte in the name", "X\u00e9: y"],
  ["quotes around the name", '"X": y'],
  ["slash in the name", "X/Y: z"],
  ["brackets in the name", "(X): z"],
  [
    "CR LF of one byte each in Latin letters",
    "X: \u010d\u010aY: z".replaceAll(/[\u0100-\uffff]/g, "\x0a"),
  ],
];

const requestLines: readonly Row[] = [
  ["HTTP/0.9", `GET /sent\r\n`],
  ["HTTP/0.9 with fields", `GET /sent\r\n${host}\r\n\r\n`],
  ["no target", `GET HTTP/1.1\r\n${host}\r\n\r\n`],
  ["two blanks", `GET  /sent HTTP/1.1\r\n${host}\r\n\r\n`],
  ["two blanks before the version", `GET /sent  HTTP/1.1\r\n${host}\r\n\r\n`],
  ["blank after the version", `GET /sent HTTP/1.1 \r\n${host}\r\n\r\n`],
  ["tab", `GET\t/sent\tHTTP/1.1\r\n${host}\r\n\r\n`],
  ["vertical tab", `GET\v/sent\vHTTP/1.1\r\n${host}\r\n\r\n`],
  ["two versions", `GET /sent HTTP/1.1 HTTP/1.1\r\n${host}\r\n\r\n`],
  ["a version in the target", `GET /sent HTTP/1.1/../marker HTTP/1.1\r\n${host}\r\n\r\n`],
  ["HTTP/1.2", `GET /sent HTTP/1.2\r\n${host}\r\n\r\n`],
  ["HTTP/2.0", `GET /sent HTTP/2.0\r\n${host}\r\n\r\n`],
  ["HTTP/1.10", `GET /sent HTTP/1.10\r\n${host}\r\n\r\n`],
  ["HTTP/01.1", `GET /sent HTTP/01.1\r\n${host}\r\n\r\n`],
  ["HTTP/1,1", `GET /sent HTTP/1,1\r\n${host}\r\n\r\n`],
  ["http/1.1", `GET /sent http/1.1\r\n${host}\r\n\r\n`],
  ["HTTQ/1.1", `GET /sent HTTQ/1.1\r\n${host}\r\n\r\n`],
  ["ICE/1.0", `SOURCE /sent ICE/1.0\r\n${host}\r\n\r\n`],
  ["RTSP/1.0", `OPTIONS /sent RTSP/1.0\r\n${host}\r\n\r\n`],
  ["a method with brackets", `GET[] /sent HTTP/1.1\r\n${host}\r\n\r\n`],
  ["a method with a colon", `GET: /sent HTTP/1.1\r\n${host}\r\n\r\n`],
  ["a method with a NUL", `GE\0T /sent HTTP/1.1\r\n${host}\r\n\r\n`],
  ["a method of 40 letters", `${"M".repeat(40)} /sent HTTP/1.1\r\n${host}\r\n\r\n`],
  ["a high byte in the target", `GET /s\u00e9nt HTTP/1.1\r\n${host}\r\n\r\n`],
  ["a NUL in the target", `GET /sent\0 HTTP/1.1\r\n${host}\r\n\r\n`],
  ["a bare CR in the target", `GET /se\rnt HTTP/1.1\r\n${host}\r\n\r\n`],
  ["a form feed in the target", `GET /se\fnt HTTP/1.1\r\n${host}\r\n\r\n`],
  ["target without a slash", `GET sent HTTP/1.1\r\n${host}\r\n\r\n`],
  ["asterisk on GET", `GET * HTTP/1.1\r\n${host}\r\n\r\n`],
  ["a query alone", `GET ?x HTTP/1.1\r\n${host}\r\n\r\n`],
  ["authority on GET", `GET b:80 HTTP/1.1\r\n${host}\r\n\r\n`],
];

const tunnels: readonly Row[] = [
  ["HTTP/2 preface", `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`],
  ["HTTP/2 preface with a Host", `PRI * HTTP/2.0\r\n${host}\r\n\r\nSM\r\n\r\n`],
  ["PRI in HTTP/1.1", `PRI * HTTP/1.1\r\n${host}\r\n\r\n`],
  [
    "HTTP/2 preface as a body",
    `${post(length("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
    1,
  ],
  ["CONNECT", `CONNECT b:80 HTTP/1.1\r\nHost: b:80\r\n\r\n`],
  ["CONNECT without a port", `CONNECT b HTTP/1.1\r\n${host}\r\n\r\n`],
  ["CONNECT to a path", `CONNECT /sent HTTP/1.1\r\n${host}\r\n\r\n`],
  ["CONNECT with a body", `CONNECT b:80 HTTP/1.1\r\nHost: b:80\r\n${length(smuggled)}\r\n\r\n`],
  ["CONNECT with a scheme", `CONNECT http://b/ HTTP/1.1\r\n${host}\r\n\r\n`],
];

const h2Settings = "HTTP2-Settings: AAMAAABkAAQAAP__";
const upgrades: readonly Row[] = [
  [
    "h2c",
    get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", h2Settings, length(smuggled)) +
      smuggled,
    1,
  ],
  ["h2c, not named in Connection", get("Upgrade: h2c", h2Settings, length(smuggled)) + smuggled, 1],
  [
    "h2c among others",
    get("Connection: Upgrade", "Upgrade: websocket, h2c", length(smuggled)) + smuggled,
    1,
  ],
  [
    "h2c in other letters",
    get("Connection: upgrade", "UPGRADE: H2C", length(smuggled)) + smuggled,
    1,
  ],
  ["TLS/1.0", get("Connection: Upgrade", "Upgrade: TLS/1.0", length(smuggled)) + smuggled, 1],
  [
    "WebSocket without a key",
    get("Connection: Upgrade", "Upgrade: websocket", length(smuggled)) + smuggled,
    1,
  ],
  [
    "WebSocket with a body",
    get(
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      length(smuggled),
    ) + smuggled,
    1,
  ],
  [
    "upgrade by POST, chunked",
    `${post("Connection: Upgrade", "Upgrade: h2c", chunked)}${lastChunk}`,
    1,
  ],
];

export const lines: readonly HostileCase[] = [
  ...casesOf(42, [
    ...ends.map(([name, bytes]): Row => [name, bytes + smuggled]),
    ...requestLines.map(([name, bytes]): Row => [name, bytes + smuggled]),
  ]),
  ...casesOf(
    43,
    fields.flatMap(([name, line]): readonly Row[] => [
      [`field: ${name}`, `${start}\r\n${line}\r\n${host}\r\n\r\n${smuggled}`],
      [`last field: ${name}`, get(line) + smuggled],
    ]),
  ),
  ...casesOf(
    44,
    [...tunnels, ...upgrades].map(([name, bytes, passes]): Row => [
      name,
      passes === undefined ? bytes + smuggled : bytes,
      passes ?? 0,
    ]),
  ),
  ...casesOf(42, [
    [
      "method override",
      post("X-HTTP-Method-Override: DELETE", "X-Method-Override: DELETE", "Content-Length: 0"),
      1,
    ],
    ["rewritten URL", get(`X-Original-URL: ${marker}`, `X-Rewrite-URL: ${marker}`), 1],
  ]),
];
