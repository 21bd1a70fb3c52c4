import test from "ava";
import { fieldsWritten, responseOf } from "#/test/kit/translated.ts";
import type { Field } from "#/test/kit/header-fields.ts";
import { METHOD } from "../http1/method.ts";
import { CODE } from "../http1/refusal.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { fieldLine } from "../http2/field-line.ts";
import { BLOCK_FIELDS_MAX } from "../http2/limits.ts";
import { LineCache } from "./line-cache.ts";
import { encodeResponse, responseRefusal } from "./response-block.ts";

const server = fieldLine("server", "signet");

function head(...lines: readonly string[]): ResponseHead {
  const response = responseOf(`${lines.join("\r\n")}\r\n\r\n`);
  if (response === null) throw new Error("Not a valid head");
  return response;
}

function sent(...lines: readonly string[]): Field[] {
  const response = head(...lines);
  return fieldsWritten((encoder) => encodeResponse(encoder, new LineCache(), response, [server]));
}

const sentServer: Field = ["server", "signet"];

test("response block has status and fields, and Server only as it was added", (t) => {
  t.deepEqual(
    sent(
      "HTTP/1.1 200 Fine",
      "Server: nginx",
      "Content-Length: 5",
      "Set-Cookie: a",
      "set-cookie: b",
    ),
    [
      [":status", "200"],
      ["content-length", "5"],
      ["set-cookie", "a"],
      ["set-cookie", "b"],
      sentServer,
    ],
  );
  t.deepEqual(sent("HTTP/1.1 200 OK", "Server: signet"), [[":status", "200"], sentServer]);
});

for (const status of ["204", "206", "304", "404", "500", "418", "599", "999"]) {
  test(`response block says status ${status}`, (t) => {
    t.deepEqual(sent(`HTTP/1.1 ${status}`), [[":status", status], sentServer]);
  });
}

test("response block of an interim response", (t) => {
  const fields = sent("HTTP/1.1 103 Early Hints", "Link: </a>; rel=preload");
  t.deepEqual(fields, [[":status", "103"], ["link", "</a>; rel=preload"], sentServer]);
});

test("attack-42 attack-36 response block leaves out framing, this hop's fields and claims", (t) => {
  const fields = sent(
    "HTTP/1.1 200 OK",
    "Transfer-Encoding: chunked",
    "Connection: close, x-a",
    "X-A: 1",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: close",
    "Upgrade: h2c",
    "X-Signet-Peer: forged",
    "X-B: 2",
  );
  t.deepEqual(fields, [[":status", "200"], ["x-b", "2"], sentServer]);
  const kept = sent("HTTP/1.1 200 OK", "Connection: keep-alive", "X-B: 2");
  t.deepEqual(kept, [[":status", "200"], ["x-b", "2"], sentServer]);
});

test("response block to HEAD keeps the length that is only said", (t) => {
  const response = responseOf("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", METHOD.head)!;
  const written = fieldsWritten((encoder) =>
    encodeResponse(encoder, new LineCache(), response, []),
  );
  t.deepEqual(written, [
    [":status", "200"],
    ["content-length", "9"],
  ]);
});

test("response refusal tells what HTTP/2 cannot have", (t) => {
  const fields = Array.from({ length: BLOCK_FIELDS_MAX }, (_, at) => `a${at}: b`);
  t.is(responseRefusal(head("HTTP/1.1 200 OK", ...fields.slice(2)), [server]), 0);
  t.is(
    responseRefusal(head("HTTP/1.1 200 OK", ...fields.slice(1)), [server]),
    CODE.too_many_fields,
  );
  const long = `a: ${"x".repeat(65_400)}`;
  t.is(responseRefusal(head("HTTP/1.1 200 OK", long), []), CODE.head_too_long);
});
