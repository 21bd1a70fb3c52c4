import test from "ava";
import { fieldsWritten, requestOf } from "#/test/kit/translated.ts";
import type { Field } from "#/test/kit/header-fields.ts";
import { CODE } from "../http1/refusal.ts";
import { RequestHead } from "../http1/request-head.ts";
import { FLAG } from "../http2/field-block.ts";
import { fieldLine } from "../http2/field-line.ts";
import { HpackDecoder } from "../http2/hpack-decoder.ts";
import { HpackEncoder } from "../http2/hpack-encoder.ts";
import { BLOCK_FIELDS_MAX, LIST_BYTES_MAX } from "../http2/limits.ts";
import { LineCache } from "./line-cache.ts";
import { encodeRequest, requestRefusal } from "./request-block.ts";

const added = fieldLine("x-signet-hop", "1");
const sentAdded: Field = ["x-signet-hop", "1"];

function head(...lines: readonly string[]): RequestHead {
  const request = requestOf(`${lines.join("\r\n")}\r\n\r\n`);
  if (request === null) throw new Error("Not a valid head");
  return request;
}

function sent(...lines: readonly string[]): Field[] {
  const request = head(...lines);
  return fieldsWritten((encoder) => encodeRequest(encoder, new LineCache(), request, [added]));
}

const start: readonly Field[] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":authority", "b"],
];

test("request block has pseudo fields first, then lower-case names in their order", (t) => {
  t.deepEqual(
    sent("GET /a?c=%2F HTTP/1.1", "X-A: 1", "Host: b", "x-b:2", "Accept: a, b", "X-A: 3", "D:"),
    [
      ...start,
      [":path", "/a?c=%2F"],
      ["x-a", "1"],
      ["x-b", "2"],
      ["accept", "a, b"],
      ["x-a", "3"],
      ["d", ""],
      sentAdded,
    ],
  );
});

for (const method of [
  "POST",
  "PUT",
  "HEAD",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "PATCH",
  "PURGE",
  "get",
]) {
  test(`request block says the method ${method}`, (t) => {
    const fields = sent(`${method} / HTTP/1.1`, "Host: b");
    t.deepEqual(fields, [[":method", method], ...start.slice(1), [":path", "/"], sentAdded]);
  });
}

test("attack-38 attack-39 request block has path and host as they were judged", (t) => {
  const fields = sent("GET http://B.:80/a/../%62?c=%2F HTTP/1.1", "A: 1", "Host:  b.:80 ");
  const authority: Field = [":authority", "b:80"];
  t.deepEqual(fields, [
    ...start.slice(0, 2),
    authority,
    [":path", "/b?c=%2F"],
    ["a", "1"],
    sentAdded,
  ]);
  const all = sent("OPTIONS * HTTP/1.1", "Host: b");
  t.deepEqual(all, [[":method", "OPTIONS"], ...start.slice(1), [":path", "*"], sentAdded]);
});

test("attack-42 request block says nothing of HTTP/1's framing but a length", (t) => {
  const chunked = sent("POST / HTTP/1.1", "Host: b", "Transfer-Encoding: chunked", "A: 1");
  t.deepEqual(chunked.slice(4), [["a", "1"], sentAdded]);
  const length = sent("POST / HTTP/1.1", "Host: b", "Content-Length: \t5 ");
  t.deepEqual(length.slice(4), [["content-length", "5"], sentAdded]);
});

test("attack-44 request block leaves out what ends at this hop", (t) => {
  const fields = sent(
    "GET / HTTP/1.1",
    "Connection: close, x-a, te",
    "Host: b",
    "X-A: 1",
    "x-a: 2",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "TE: gzip",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMA",
    "Trailer: x-b",
    "X-B: 3",
  );
  t.deepEqual(fields.slice(4), [["trailer", "x-b"], ["x-b", "3"], sentAdded]);
  t.deepEqual(sent("GET / HTTP/1.1", "Host: b", "Connection: Keep-Alive").slice(4), [sentAdded]);
  const te = sent("GET / HTTP/1.1", "Host: b", "TE: Trailers");
  t.deepEqual(te.slice(4), [["te", "Trailers"], sentAdded]);
});

test("attack-36 request block has no claim of identity, in any spelling", (t) => {
  const claims = ["X-Signet-Peer", "x_signet_peer", "X-Forwarded-Client-Cert", "L5D_Client_ID"];
  const lines = claims.map((name) => `${name}: forged`);
  t.deepEqual(sent("GET / HTTP/1.1", "Host: b", ...lines, "A: 1").slice(4), [
    ["a", "1"],
    sentAdded,
  ]);
});

test("request block of HTTP/1.0 says nothing of what its caller expects", (t) => {
  t.deepEqual(sent("GET / HTTP/1.0", "Host: b", "Expect: x").slice(4), [sentAdded]);
  const fields = sent("POST / HTTP/1.1", "Host: b", "Content-Length: 1", "Expect: 100-continue");
  t.deepEqual(fields[5], ["expect", "100-continue"]);
});

test("request block is the same the first time and ever after", (t) => {
  const cache = new LineCache();
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const lengths: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const request = head(
      "GET /a HTTP/1.1",
      "Host: b",
      `X-Id: ${round}`,
      "X-Same: yes",
      "Cookie: s=1",
    );
    encoder.begin();
    encodeRequest(encoder, cache, request, [added]);
    t.is(decoder.decode(encoder.bytes, 0, encoder.length), 0);
    const { block } = decoder;
    const texts = Array.from({ length: block.count }, (_, field) => block.valueText(field));
    t.deepEqual(texts, ["GET", "http", "b", "/a", String(round), "yes", "s=1", "1"]);
    lengths.push(encoder.length);
  }
  t.true(lengths[2]! < lengths[0]!, "known lines go by their indices");
  t.is(lengths[4], lengths[3], "and what varies is not kept, but for its name");
  // Six indices, the index of a name with its value, a secret.
  t.is(lengths[4], 6 + 4 + 6);
});

test("attack-46 request block keeps secrets out of the compression table", (t) => {
  const cache = new LineCache();
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  for (let round = 0; round < 4; round += 1) {
    const secrets = ["Cookie: s=1", "Authorization: Basic a", "Proxy-Authorization: Basic a"];
    encoder.begin();
    encodeRequest(encoder, cache, head("GET / HTTP/1.1", "Host: b", ...secrets), []);
    decoder.decode(encoder.bytes, 0, encoder.length);
    const { records, count } = decoder.block;
    const flags = Array.from({ length: count }, (_, field) => records[field * 8 + 5]);
    t.deepEqual(
      flags.slice(4),
      secrets.map(() => FLAG.neverIndexed),
    );
  }
  for (const secret of ["Cookie: s=1", "Authorization: Basic a", "Proxy-Authorization: Basic a"]) {
    t.is(cache.find(Buffer.from(secret), 0, secret.length), null, "nor does the cache keep it");
  }
});

test("request refusal tells what HTTP/2 cannot have", (t) => {
  const fields = (count: number): string[] => Array.from({ length: count }, (_, at) => `a${at}: b`);
  const few = head("GET / HTTP/1.1", "Host: b", ...fields(BLOCK_FIELDS_MAX - 5));
  t.is(requestRefusal(few, [added]), 0);
  t.is(requestRefusal(few, [added, added]), CODE.too_many_fields);
  const long = head("GET / HTTP/1.1", "Host: b", `a: ${"x".repeat(LIST_BYTES_MAX - 300)}`);
  t.is(requestRefusal(long, []), 0);
  const longer = head("GET / HTTP/1.1", "Host: b", `a: ${"x".repeat(LIST_BYTES_MAX - 200)}`);
  t.is(requestRefusal(longer, []), CODE.head_too_long);
  const connect = new RequestHead({ allowConnect: true });
  const bytes = Buffer.from("CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n");
  t.is(connect.parse(bytes, 0, bytes.length), bytes.length);
  t.is(requestRefusal(connect, []), CODE.connect_refused);
});

test("request block that has no refusal is taken by a decoder", (t) => {
  const count = BLOCK_FIELDS_MAX - 4;
  const value = "x".repeat(Math.floor((LIST_BYTES_MAX - 200) / count) - 32 - 8);
  const lines = Array.from({ length: count }, (_, at) => `a${at}: ${value}`);
  const request = head("GET / HTTP/1.1", "Host: b", ...lines);
  t.is(requestRefusal(request, []), 0);
  const written = fieldsWritten((encoder) => encodeRequest(encoder, new LineCache(), request, []));
  t.is(written.length, BLOCK_FIELDS_MAX);
});
