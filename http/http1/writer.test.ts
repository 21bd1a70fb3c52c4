import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { arbitraryRequest, arbitraryResponse } from "#/test/kit/http1-arbitrary.ts";
import { bytesOf, readVectors } from "#/test/kit/vectors.ts";
import { HOP_BY_HOP } from "./field-kind.ts";
import { METHOD } from "./method.ts";
import { RequestHead } from "./request-head.ts";
import { ResponseHead } from "./response-head.ts";
import { linesOf, requestBytes, responseBytes } from "./writer.ts";

function request(...lines: readonly string[]): RequestHead {
  const bytes = bytesOf(`${lines.join("\r\n")}\r\n\r\n`);
  const head = new RequestHead();
  if (head.parse(bytes, 0, bytes.length) !== bytes.length) throw new Error("Not a valid head");
  return head;
}

function response(...lines: readonly string[]): ResponseHead {
  const bytes = bytesOf(`${lines.join("\r\n")}\r\n\r\n`);
  const head = new ResponseHead();
  head.reset(METHOD.get, true);
  if (head.parse(bytes, 0, bytes.length) !== bytes.length) throw new Error("Not a valid head");
  return head;
}

function linesIn(bytes: Buffer): string[] {
  const text = bytes.toString("latin1");
  if (!text.endsWith("\r\n\r\n")) throw new Error("No blank line at the end");
  return text.slice(0, -4).split("\r\n");
}

test("request bytes are a view of the received ones when nothing changes", (t) => {
  const head = request("GET /a HTTP/1.1", "Host: b", "Connection: keep-alive", "TE: trailers");
  const bytes = requestBytes(head, null);
  t.is(bytes.buffer, head.buffer.buffer);
  t.is(bytes.byteOffset, head.buffer.byteOffset);
  t.is(bytes.length, head.buffer.length);
});

test("attack-42 bytes that are sent on have one space before each value, and no blank after it", (t) => {
  const lines = [
    "Transfer-Encoding: \t chunked \t ",
    "Host:\tb",
    "A:",
    "B: ",
    "C:\t d\te  ",
    "F:g \t",
  ];
  const sent = ["Transfer-Encoding: chunked", "Host: b", "A:", "B: ", "C: d\te", "F:g"];
  const head = request("POST /a HTTP/1.1", ...lines);
  t.true(head.needsRewrite);
  t.deepEqual(linesIn(requestBytes(head, null)), ["POST /a HTTP/1.1", ...sent]);
  const answer = response("HTTP/1.1 200 OK", "server: signet", "Content-Length:\t5 ", "A: b");
  t.true(answer.needsRewrite);
  const expected = ["HTTP/1.1 200 OK", "server: signet", "Content-Length: 5", "A: b"];
  t.deepEqual(linesIn(responseBytes(answer, null)), expected);
});

test("request bytes begin after an empty line that came first", (t) => {
  const head = request("", "GET /a HTTP/1.1", "Host: b");
  t.deepEqual(linesIn(requestBytes(head, null)), ["GET /a HTTP/1.1", "Host: b"]);
});

test("request bytes leave out what ends at this hop", (t) => {
  const head = request(
    "GET /a HTTP/1.1",
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
  const expected = ["GET /a HTTP/1.1", "Host: b", "Trailer: x-b", "X-B: 3"];
  t.deepEqual(linesIn(requestBytes(head, null)), expected);
});

for (const name of [
  "x-forwarded-client-cert",
  "X-Forwarded-Client-Cert",
  "x_forwarded_client_cert",
  "X-Forwarded_Client-CERT",
  "x-signet-peer",
  "X-SIGNET-",
  "x_signet_peer",
  "X-Signet_Anything",
  "l5d-client-id",
  "L5D_Client_ID",
]) {
  test(`attack-36 request bytes leave out ${name} and put in what was proven`, (t) => {
    const proven = linesOf("x-forwarded-client-cert: By=a;URI=b");
    const head = request(
      "GET / HTTP/1.1",
      `${name}: forged`,
      "Host: b",
      "X-Other: 1",
      `${name}: 2`,
    );
    t.true(head.needsRewrite);
    const kept = ["GET / HTTP/1.1", "Host: b", "X-Other: 1"];
    t.deepEqual(linesIn(requestBytes(head, null)), kept);
    t.deepEqual(linesIn(requestBytes(head, proven)), [
      ...kept,
      "x-forwarded-client-cert: By=a;URI=b",
    ]);
    t.is(linesIn(requestBytes(head, null, HOP_BY_HOP)).length, 5, "only where the caller says so");
  });
}

test("attack-38 attack-39 request bytes carry the target and Host that were judged", (t) => {
  const head = request("GET http://B.:80/a/../%62?c=%2F HTTP/1.1", "A: 1", "Host:  b.:80 ", "C: 2");
  t.is(head.pathText, "/b");
  t.deepEqual(linesIn(requestBytes(head, null)), [
    "GET /b?c=%2F HTTP/1.1",
    "A: 1",
    "Host: b:80",
    "C: 2",
  ]);
});

test("attack-44 request bytes pass a WebSocket upgrade on and no other", (t) => {
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const upgrade = request(
    "GET / HTTP/1.1",
    "Host: b",
    "Connection: x-a, Upgrade",
    "Upgrade: WebSocket",
    key,
  );
  t.deepEqual(linesIn(requestBytes(upgrade, null)), [
    "GET / HTTP/1.1",
    "Host: b",
    key,
    "connection: Upgrade",
    "upgrade: websocket",
  ]);
  const other = request("GET / HTTP/1.1", "Host: b", "Connection: Upgrade", "Upgrade: h2c", key);
  t.deepEqual(linesIn(requestBytes(other, null)), ["GET / HTTP/1.1", "Host: b", key]);
});

test("response bytes carry server: signet in place of any other", (t) => {
  const ok = "HTTP/1.1 200 OK";
  const length = "Content-Length: 0";
  const replaced = response(ok, "Server: nginx", length, "server: other", "Keep-Alive: timeout=5");
  t.deepEqual(linesIn(responseBytes(replaced, null)), [ok, length, "server: signet"]);
  const inserted = response(ok, length);
  const close = linesOf("connection: close");
  const lines = [ok, length, "server: signet", "connection: close"];
  t.deepEqual(linesIn(responseBytes(inserted, close)), lines);
  const twice = response(ok, "Server: signet", length, "Server: signet");
  t.deepEqual(linesIn(responseBytes(twice, null)), [ok, length, "server: signet"]);
});

test("response bytes that already say server: signet are a view of the received ones", (t) => {
  const head = response("HTTP/1.1 200 OK", "Server: signet", "Content-Length: 0");
  t.is(responseBytes(head, null).buffer, head.buffer.buffer);
  const added = responseBytes(head, linesOf("a: b"));
  t.deepEqual(linesIn(added), ["HTTP/1.1 200 OK", "Server: signet", "Content-Length: 0", "a: b"]);
});

test("response bytes of a switch say what was switched to", (t) => {
  const status = "HTTP/1.1 101 Switching Protocols";
  const head = response(status, "Upgrade: h2c, websocket", "Connection: Upgrade");
  const lines = [status, "server: signet", "connection: Upgrade", "upgrade: websocket"];
  t.deepEqual(linesIn(responseBytes(head, null)), lines);
});

test("request bytes of each accepted vector are accepted again with the same meaning", (t) => {
  const vectors = readVectors("http1/request-accepted.json") as readonly { bytes: string }[];
  for (const { bytes } of vectors) rereadRequest(t, bytes);
});

/** What is sent on must mean to the next hop what it meant here, and need no change there. */
function rereadRequest(t: { deepEqual(a: unknown, b: unknown): void }, text: string): void {
  const head = new RequestHead();
  const received = bytesOf(text);
  if (head.parse(received, 0, received.length) < 0) return;
  const sent = requestBytes(head, null);
  const again = new RequestHead();
  t.deepEqual(again.parse(sent, 0, sent.length), sent.length);
  const meaning = (each: RequestHead): readonly unknown[] => [
    each.methodText,
    each.pathText,
    each.queryText,
    each.host.host,
    each.host.port,
    each.bodyKind,
    each.contentLength,
    each.websocket,
    each.expectContinue,
  ];
  t.deepEqual(meaning(again), meaning(head));
  t.deepEqual(again.needsRewrite, again.websocket);
}

test("request bytes property: the next hop reads the same and changes nothing", (t) => {
  fc.assert(
    fc.property(arbitraryRequest, (text) => rereadRequest(t, text)),
    fuzzOptions(t, 2000),
  );
  t.pass();
});

test("response bytes property: the next hop reads the same and changes nothing", (t) => {
  const head = new ResponseHead();
  const again = new ResponseHead();
  fc.assert(
    fc.property(arbitraryResponse, (text) => {
      head.reset(METHOD.get, false);
      const received = bytesOf(text);
      if (head.parse(received, 0, received.length) < 0) return;
      const sent = responseBytes(head, null);
      again.reset(METHOD.get, false);
      t.is(again.parse(sent, 0, sent.length), sent.length);
      t.is(again.bodyKind, head.bodyKind);
      t.is(again.contentLength, head.contentLength);
      t.is(responseBytes(again, null).buffer, sent.buffer);
    }),
    fuzzOptions(t, 1000),
  );
  t.pass();
});
