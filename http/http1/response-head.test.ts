import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { arbitraryCuts, arbitraryResponse, mutated } from "#/test/kit/http1-arbitrary.ts";
import { bytesOf, readVectors } from "#/test/kit/vectors.ts";
import { METHOD } from "./method.ts";
import type { MethodCode } from "./method.ts";
import { MORE, refusalOf } from "./refusal.ts";
import { HEAD_BYTES_MAX } from "./request-head.ts";
import { ResponseHead } from "./response-head.ts";

interface Vector {
  readonly name: string;
  readonly attack: number;
  readonly method: "GET" | "HEAD" | "CONNECT";
  readonly websocket: boolean;
  readonly bytes: string;
  readonly reason?: string;
  readonly expect?: Readonly<Record<string, unknown>>;
}

const methods = { GET: METHOD.get, HEAD: METHOD.head, CONNECT: METHOD.connect };
const vectors = readVectors("http1/response.json") as readonly Vector[];

function parseCut(
  head: ResponseHead,
  bytes: Buffer,
  cuts: readonly number[],
  method: MethodCode = METHOD.get,
  websocket = false,
): unknown {
  head.reset(method, websocket);
  for (const cut of [...cuts, bytes.length]) {
    const code = head.parse(bytes, 0, cut);
    if (code < MORE) return refusalOf(code).reason;
    if (code !== MORE) return facts(head);
  }
  return "more";
}

function facts(head: ResponseHead): Record<string, unknown> {
  const { status, minor, bodyKind, contentLength, keepAlive, interim, switching } = head;
  const fields = Array.from(head.fields.offsets.subarray(0, head.fields.count * 4 + 1));
  const kinds = Array.from(head.fields.kinds.subarray(0, head.fields.count));
  const more = { fields, kinds, end: head.end, needsRewrite: head.needsRewrite };
  return { status, minor, bodyKind, contentLength, keepAlive, interim, switching, ...more };
}

function everyByte(bytes: Buffer): number[] {
  return Array.from(bytes, (_, index) => index);
}

for (const { name, attack, method, websocket, bytes, reason, expect } of vectors) {
  const verb = reason === undefined ? "accepts" : "refuses";
  test(`attack-${attack} response head ${verb} ${name}`, (t) => {
    const buffer = bytesOf(bytes);
    const head = new ResponseHead();
    const whole = parseCut(head, buffer, [], methods[method], websocket);
    if (reason === undefined) t.like(whole, { ...expect, end: buffer.length });
    else t.is(whole, reason);
    t.deepEqual(parseCut(head, buffer, everyByte(buffer), methods[method], websocket), whole);
  });
}

test("attack-50 response head larger than its limit is refused", (t) => {
  const head = new ResponseHead();
  const endless = bytesOf(`HTTP/1.1 200 OK\r\na: ${"x".repeat(HEAD_BYTES_MAX)}`);
  t.is(parseCut(head, endless, []), "head_too_long");
  t.is(parseCut(head, endless, [HEAD_BYTES_MAX - 1, HEAD_BYTES_MAX]), "head_too_long");
  const reason = bytesOf(`HTTP/1.1 200 ${"x".repeat(HEAD_BYTES_MAX)}`);
  t.is(parseCut(head, reason, [9, 12, 13]), "head_too_long");
});

test("response head used again keeps nothing of the head before", (t) => {
  const head = new ResponseHead();
  const plain = bytesOf("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n");
  const fresh = parseCut(new ResponseHead(), plain, []);
  for (const { bytes, method, websocket } of vectors) {
    parseCut(head, bytesOf(bytes), [], methods[method], websocket);
    t.deepEqual(parseCut(head, plain, []), fresh);
  }
});

test("response head property: any cut gives the same answer, and only our codes come back", (t) => {
  const head = new ResponseHead();
  const vector = fc.constantFrom(...vectors).map(({ bytes }) => bytes);
  const bytes = fc.oneof(arbitraryResponse, mutated(arbitraryResponse), mutated(vector));
  fc.assert(
    fc.property(bytes, arbitraryCuts, fc.boolean(), (text, fractions, websocket) => {
      const buffer = bytesOf(text);
      const cuts = fractions.map((fraction) => Math.floor(fraction * text.length));
      const whole = parseCut(head, buffer, [], METHOD.get, websocket);
      t.deepEqual(parseCut(head, buffer, cuts, METHOD.get, websocket), whole);
    }),
    fuzzOptions(t, 1000),
  );
  t.pass();
});
