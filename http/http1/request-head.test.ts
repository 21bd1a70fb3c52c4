import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { bytesOf, readVectors } from "#/test/kit/vectors.ts";
import { FIELDS_MAX } from "./field-index.ts";
import { METHOD_BYTES_MAX } from "./method.ts";
import { MORE, refusalOf } from "./refusal.ts";
import { HEAD_BYTES_MAX, RequestHead } from "./request-head.ts";
import { TARGET_BYTES_MAX } from "./request-line.ts";
import { arbitraryCuts, arbitraryRequest, mutated } from "#/test/kit/http1-arbitrary.ts";

interface RefusedVector {
  readonly attack: number;
  readonly name: string;
  readonly reason: string;
  readonly bytes: string;
}

interface AcceptedVector {
  readonly name: string;
  readonly bytes: string;
  readonly expect: Readonly<Record<string, unknown>>;
}

const refused = readVectors("http1/request-refused.json") as readonly RefusedVector[];
const accepted = readVectors("http1/request-accepted.json") as readonly AcceptedVector[];

/** The reason of a refusal, "more", or "ok". */
function outcome(code: number): string {
  if (code === MORE) return "more";
  return code < MORE ? refusalOf(code).reason : "ok";
}

function facts(head: RequestHead): Record<string, unknown> {
  const { line } = head;
  const received = head.buffer.toString("latin1", line.targetStart, line.targetEnd);
  return {
    method: head.methodText,
    path: head.pathText,
    query: head.queryText,
    target: head.newTarget?.toString("latin1") ?? received,
    host: head.host.host,
    port: head.host.port,
    minor: head.minor,
    bodyKind: head.bodyKind,
    contentLength: head.contentLength,
    keepAlive: head.keepAlive,
    expectContinue: head.expectContinue,
    websocket: head.websocket,
    needsRewrite: head.needsRewrite,
    fields: Array.from(head.fields.offsets.subarray(0, head.fields.count * 4 + 1)),
    kinds: Array.from(head.fields.kinds.subarray(0, head.fields.count)),
    end: head.end,
  };
}

/** What comes of `bytes` given up to each of `cuts` in turn, then whole. */
function parseCut(
  head: RequestHead,
  bytes: Buffer,
  start: number,
  cuts: readonly number[],
): unknown {
  head.reset();
  for (const cut of [...cuts, bytes.length]) {
    const code = head.parse(bytes, start, Math.max(start, cut));
    if (code !== MORE) return code < MORE ? outcome(code) : facts(head);
  }
  return "more";
}

function everyByte(bytes: Buffer): number[] {
  return Array.from(bytes, (_, index) => index);
}

for (const { attack, name, reason, bytes } of refused) {
  test(`attack-${attack} request head refuses ${name}`, (t) => {
    const buffer = bytesOf(bytes);
    const head = new RequestHead();
    t.is(parseCut(head, buffer, 0, []), reason);
    t.is(parseCut(head, buffer, 0, everyByte(buffer)), reason);
    t.is(outcome(head.parse(buffer, 0, buffer.length)), reason, "a refusal stays");
  });
}

for (const { name, bytes, expect } of accepted) {
  test(`request head accepts ${name}`, (t) => {
    const buffer = bytesOf(bytes);
    const head = new RequestHead();
    const whole = parseCut(head, buffer, 0, []);
    t.like(whole, { ...expect, end: buffer.length });
    t.deepEqual(parseCut(head, buffer, 0, everyByte(buffer)), whole);
  });
}

test("request head leaves what follows the blank line alone", (t) => {
  const buffer = bytesOf("xxGET /a HTTP/1.1\r\nHost: b\r\n\r\n\0\0");
  const head = new RequestHead();
  t.is(head.parse(buffer, 2, buffer.length), buffer.length - 2);
  t.is(head.start, 2);
});

test("request head asks for more until the last byte", (t) => {
  const buffer = bytesOf("POST /a HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\n");
  const head = new RequestHead();
  for (let end = 0; end < buffer.length; end += 1) t.is(head.parse(buffer, 0, end), MORE);
  t.is(head.parse(buffer, 0, buffer.length), buffer.length);
});

test("request head accepts CONNECT only when told to, and only to its Host", (t) => {
  const parse = (text: string): string =>
    outcome(new RequestHead({ allowConnect: true }).parse(bytesOf(text), 0, text.length));
  t.is(parse("CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"), "ok");
  t.is(parse("CONNECT c:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"), "authority_mismatch");
  t.is(parse("CONNECT / HTTP/1.1\r\nHost: b\r\n\r\n"), "authority_mismatch");
  const framed = "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\nContent-Length: 1\r\n\r\n";
  t.is(parse(framed), "body_not_allowed");
});

test("request head used again keeps nothing of the head before", (t) => {
  const head = new RequestHead();
  const plain = bytesOf("GET /x HTTP/1.1\r\nHost: b\r\n\r\n");
  const fresh = parseCut(new RequestHead(), plain, 0, []);
  for (const { bytes } of [...refused, ...accepted]) {
    parseCut(head, bytesOf(bytes), 0, []);
    t.deepEqual(parseCut(head, plain, 0, []), fresh);
  }
});

/** A head of exactly `size` bytes. */
function headOfSize(size: number): Buffer {
  const front = "GET / HTTP/1.1\r\nHost: b\r\n";
  const lines: string[] = [];
  let left = size - front.length - 2;
  while (left > 0) {
    const line = left > 1100 ? 1000 : left;
    lines.push(`a:${"x".repeat(line - 4)}\r\n`);
    left -= line;
  }
  return bytesOf(`${front}${lines.join("")}\r\n`);
}

test("attack-50 request head of the largest size is accepted, one byte more is refused", (t) => {
  const head = new RequestHead();
  const largest = headOfSize(HEAD_BYTES_MAX);
  t.is(largest.length, HEAD_BYTES_MAX);
  t.is(head.parse(largest, 0, largest.length), HEAD_BYTES_MAX);
  const larger = headOfSize(HEAD_BYTES_MAX + 1);
  t.is(parseCut(head, larger, 0, []), "head_too_long");
  t.is(parseCut(head, larger, 0, [HEAD_BYTES_MAX - 1, HEAD_BYTES_MAX]), "head_too_long");
  t.is(refusalOf(head.parse(larger, 0, larger.length)).status, 431);
});

test("attack-50 request head of a megabyte is refused at its limit however it is cut", (t) => {
  const head = new RequestHead();
  const bytes = headOfSize(1 << 20);
  t.is(parseCut(head, bytes, 0, []), "head_too_long");
  t.is(parseCut(head, bytes, 0, everyByte(bytes.subarray(0, HEAD_BYTES_MAX + 9))), "head_too_long");
});

test("attack-50 request head dripped byte by byte is scanned once, not once per byte", (t) => {
  const head = new RequestHead();
  const value = bytesOf(`GET / HTTP/1.1\r\nHost: b\r\na: ${"x".repeat(60_000)}\r\n\r\n`);
  const started = process.hrtime.bigint();
  t.like(parseCut(head, value, 0, everyByte(value)), { end: value.length });
  // Rescanning would look at two thousand million bytes: seconds, not milliseconds.
  t.true(Number(process.hrtime.bigint() - started) < 1e9);
});

test("attack-50 request head takes the largest number of fields, not one more", (t) => {
  const many = (count: number): Buffer =>
    bytesOf(`GET / HTTP/1.1\r\nHost: b\r\n${"a: b\r\n".repeat(count - 1)}\r\n`);
  const head = new RequestHead();
  t.like(parseCut(head, many(FIELDS_MAX), 0, []), { host: "b" });
  const over = many(FIELDS_MAX + 1);
  t.is(parseCut(head, over, 0, []), "too_many_fields");
  t.is(parseCut(head, over, 0, everyByte(over)), "too_many_fields");
});

test("attack-50 request target of the largest size is accepted, one byte more is refused", (t) => {
  const head = new RequestHead();
  const withTarget = (target: string): Buffer =>
    bytesOf(`GET ${target} HTTP/1.1\r\nHost: b\r\n\r\n`);
  for (const mark of ["", "?"]) {
    const target = `/${mark}${"a".repeat(TARGET_BYTES_MAX - 1 - mark.length)}`;
    t.like(parseCut(head, withTarget(target), 0, []), { method: "GET" });
    const longer = withTarget(`${target}a`);
    t.is(parseCut(head, longer, 0, []), "target_too_long");
    t.is(parseCut(head, longer, 0, everyByte(longer)), "target_too_long");
  }
  const endless = bytesOf("M".repeat(METHOD_BYTES_MAX + 1));
  t.is(parseCut(head, endless, 0, []), "method_too_long");
});

test("attack-37 request head gives all values of a field that is repeated", (t) => {
  const bytes = bytesOf("GET / HTTP/1.1\r\nHost: b\r\nUser: a\r\nX: y\r\nUSER:\t b \r\n\r\n");
  const head = new RequestHead();
  head.parse(bytes, 0, bytes.length);
  t.is(head.value(bytesOf("user")), "a, b");
  t.is(head.value(bytesOf("x")), "y");
  t.is(head.value(bytesOf("z")), null);
});

test("request head property: any cut gives the same answer", (t) => {
  const head = new RequestHead();
  const bytes = fc.oneof(arbitraryRequest, mutated(arbitraryRequest), arbitraryVector());
  fc.assert(
    fc.property(bytes, arbitraryCuts, fc.nat(40), (text, fractions, start) => {
      const buffer = Buffer.concat([Buffer.alloc(start, "x"), bytesOf(text)]);
      const cuts = fractions.map((fraction) => start + Math.floor(fraction * text.length));
      t.deepEqual(parseCut(head, buffer, start, cuts), parseCut(head, buffer, start, []));
    }),
    fuzzOptions(t, 1000),
  );
  t.pass();
});

test("request head property: arbitrary bytes meet our codes and nothing is thrown", (t) => {
  const head = new RequestHead();
  const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => String.fromCharCode(...bytes));
  const bytes = fc.oneof(noise, mutated(arbitraryRequest), mutated(arbitraryVector()));
  fc.assert(
    fc.property(bytes, (text) => {
      head.reset();
      const code = head.parse(bytesOf(text), 0, text.length);
      t.true(code <= text.length && outcome(code) !== "");
    }),
    fuzzOptions(t, 2000),
  );
});

test("request head property: valid heads come back as they were made", (t) => {
  const head = new RequestHead();
  const token = fc.stringMatching(/^[a-z][a-z0-9]{0,12}$/);
  const value = fc.stringMatching(/^(?:[!-~](?:[ -~]{0,20}[!-~])?)?$/);
  const fields = fc.array(fc.tuple(token, value), { maxLength: 20 });
  fc.assert(
    fc.property(token, fields, (name, made) => {
      const plain = made.filter(([key]) => !known.has(key));
      const lines = plain.map(([key, content]) => `${key}: ${content}\r\n`).join("");
      const text = `GET /${name} HTTP/1.1\r\nHost: ${name}\r\n${lines}\r\n`;
      head.reset();
      const buffer = bytesOf(text);
      t.is(head.parse(buffer, 0, buffer.length), buffer.length);
      t.is(head.pathText, `/${name}`);
      t.is(head.host.host, name);
      const { offsets, count } = head.fields;
      const found = Array.from({ length: count - 1 }, (_, index) => {
        const slot = (index + 1) * 4;
        return [
          buffer.toString("latin1", offsets[slot], offsets[slot + 1]),
          buffer.toString("latin1", offsets[slot + 2], offsets[slot + 3]),
        ];
      });
      t.deepEqual(found, plain);
    }),
    fuzzOptions(t, 500),
  );
});

const known = new Set(["host", "te", "expect", "upgrade", "connection", "trailer", "server"]);

function arbitraryVector(): fc.Arbitrary<string> {
  return fc.constantFrom(...refused, ...accepted).map((vector) => vector.bytes);
}
