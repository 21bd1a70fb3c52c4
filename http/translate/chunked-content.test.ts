import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import type { Field } from "#/test/kit/header-fields.ts";
import { arbitraryChunked, arbitraryCuts, mutated } from "#/test/kit/http1-arbitrary.ts";
import { fieldsWritten } from "#/test/kit/translated.ts";
import { bytesOf } from "#/test/kit/vectors.ts";
import { ChunkedScanner } from "../http1/chunked.ts";
import { CODE, refusalOf } from "../http1/refusal.ts";
import { BLOCK_FIELDS_MAX } from "../http2/limits.ts";
import { ChunkedContent } from "./chunked-content.ts";

interface Outcome {
  readonly content: string;
  readonly taken: number;
  readonly done: boolean;
  readonly reason: string;
  readonly trailers: readonly Field[] | string;
}

/** Consumes `text` in parts that end at `cuts`, each in memory of its own. */
function consumed(text: string, cuts: readonly number[] = []): Outcome {
  let content = "";
  const chunked = new ChunkedContent((buffer, start, end) => {
    if (end <= start) throw new Error("No content");
    content += buffer.toString("latin1", start, end);
  });
  chunked.reset();
  let taken = 0;
  const places = [0, ...cuts.map((cut) => Math.floor(cut * text.length)), text.length];
  for (const [index, end] of places.slice(1).entries()) {
    const part = bytesOf(`..${text.slice(places[index], end)}`);
    const count = chunked.consume(part, 2, part.length);
    if (count < 0) {
      const { reason } = refusalOf(count);
      return { content, taken, done: false, reason, trailers: [] };
    }
    taken += count;
  }
  return { content, taken, done: chunked.done, reason: "", trailers: trailersOf(chunked) };
}

function trailersOf({ done, trailers }: ChunkedContent): readonly Field[] | string {
  if (!done || !trailers.present) return [];
  const code = trailers.read();
  if (code !== 0) return refusalOf(code).reason;
  return fieldsWritten((encoder) => trailers.encode(encoder));
}

test("chunked content is what the chunks hold, and what follows is left", (t) => {
  const text = "5\r\nhello\r\n1;a=b\r\n,\r\n6\r\n world\r\n0\r\n\r\n";
  const expected = { content: "hello, world", taken: text.length, done: true, reason: "" };
  t.deepEqual(consumed(text), { ...expected, trailers: [] });
  t.deepEqual(consumed(`${text}GET / HTTP/1.1\r\n`), { ...expected, trailers: [] });
});

test("chunked content has trailers as HTTP/2 says them", (t) => {
  const text = "1\r\na\r\n0\r\nX-Checksum:\t 1 \r\nServer-Timing: b;dur=1\r\nX-Empty:\r\n\r\n";
  t.deepEqual(consumed(text).trailers, [
    ["x-checksum", "1"],
    ["server-timing", "b;dur=1"],
    ["x-empty", ""],
  ]);
});

test("chunked content of small chunks comes in one piece, of large ones where it lies", (t) => {
  const pieces: string[] = [];
  let done = false;
  const chunked = new ChunkedContent((buffer, start, end) => {
    pieces.push(buffer.toString("latin1", start, end));
    done = chunked.done;
  });
  const small = bytesOf(`${"1\r\na\r\n2\r\nbc\r\n".repeat(100)}0\r\n\r\nGET`);
  t.is(chunked.consume(small, 0, small.length), small.length - 3);
  t.deepEqual(pieces, ["abc".repeat(100)]);
  t.true(done, "the end is known with the last of it");
  t.is(small.toString("latin1", small.length - 3), "GET", "what follows stays as it is");
  pieces.length = 0;
  chunked.reset();
  const large = "x".repeat(5000);
  const mixed = bytesOf(`1\r\na\r\n1388\r\n${large}\r\n1\r\nb\r\n`);
  t.is(chunked.consume(mixed, 0, mixed.length), mixed.length);
  t.deepEqual(pieces, ["a", `${large}b`]);
});

test("chunked content is used again for the next message", (t) => {
  const chunked = new ChunkedContent(() => {});
  const first = bytesOf("1\r\na\r\n0\r\nX-A: 1\r\n\r\n");
  t.is(chunked.consume(first, 0, first.length), first.length);
  t.true(chunked.trailers.present);
  t.is(chunked.contentBytes, 1);
  chunked.reset();
  t.false(chunked.done);
  const second = bytesOf("0\r\n\r\n");
  t.is(chunked.consume(second, 0, second.length), second.length);
  t.true(chunked.done);
  t.false(chunked.trailers.present);
  t.is(chunked.contentBytes, 0);
});

for (const [line, reason] of [
  ["Host: b", "trailer_refused"],
  ["Content-Length: 5", "trailer_refused"],
  ["Transfer-Encoding: chunked", "trailer_refused"],
  ["x-signet-peer: a", "trailer_refused"],
  ["X_Forwarded_Client_Cert: a", "trailer_refused"],
  ["Authorization: a", "trailer_refused"],
  [":path: /", "trailer_refused"],
  ["a b: c", "bad_field_name"],
  ["a: b\rc", "bare_cr"],
  ["a: b\nc: d", "bare_lf"],
  ["a: \0", "control_byte"],
] as const) {
  test(`attack-43 chunked content has no trailer ${JSON.stringify(line)}`, (t) => {
    t.is(consumed(`1\r\na\r\n0\r\n${line}\r\n\r\n`).reason, reason);
  });
}

test("chunked content with more trailers than HTTP/2 has is refused", (t) => {
  const trailers = (count: number): string => "a:\r\n".repeat(count);
  t.is(consumed(`0\r\n${trailers(BLOCK_FIELDS_MAX)}\r\n`).trailers.length, BLOCK_FIELDS_MAX);
  const reason = refusalOf(CODE.too_many_fields).reason;
  t.is(consumed(`0\r\n${trailers(BLOCK_FIELDS_MAX + 1)}\r\n`).trailers, reason);
});

test("chunked content property: the same however it is cut, and judged as the scanner judges it", (t) => {
  fc.assert(
    fc.property(
      fc.oneof(arbitraryChunked, mutated(arbitraryChunked)),
      arbitraryCuts,
      (text, cuts) => {
        const whole = consumed(text);
        const scanner = new ChunkedScanner();
        const bytes = bytesOf(text);
        const taken = scanner.consume(bytes, 0, bytes.length);
        t.is(whole.reason, taken < 0 ? refusalOf(taken).reason : "");
        t.is(whole.done, scanner.done);
        if (taken >= 0) t.is(whole.content.length, scanner.contentBytes);
        const parts = consumed(text, cuts);
        t.is(parts.reason, whole.reason);
        // What is heard of before a refusal depends on how the bytes come.
        if (whole.reason === "") t.is(parts.content, whole.content);
        t.deepEqual(parts.trailers, whole.trailers);
      },
    ),
    fuzzOptions(t, 1000),
  );
});
