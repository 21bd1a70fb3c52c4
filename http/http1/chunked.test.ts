import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { arbitraryChunked, arbitraryCuts, mutated } from "#/test/kit/http1-arbitrary.ts";
import { bytesOf, readVectors } from "#/test/kit/vectors.ts";
import { ChunkedScanner } from "./chunked.ts";
import { refusalOf } from "./refusal.ts";

interface Vector {
  readonly name: string;
  readonly attack: number;
  readonly bytes: string;
  readonly reason?: string;
  readonly rest?: number;
  readonly content?: number;
}

const vectors = readVectors("http1/chunked.json") as readonly Vector[];

/** What comes of `bytes` in pieces: a reason, or how much belongs to the body and whether it ended. */
function scanCut(scanner: ChunkedScanner, bytes: Buffer, cuts: readonly number[]): unknown {
  scanner.reset();
  let taken = 0;
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    // Each piece in memory of its own: nothing may be read across pieces.
    const piece = Buffer.from(bytes.subarray(from, cut));
    const count = scanner.consume(piece, 0, piece.length);
    if (count < 0) return refusalOf(count).reason;
    taken += count;
    if (scanner.done) break;
    if (count !== piece.length) return "stopped early";
    from = cut;
  }
  return { taken, done: scanner.done, content: scanner.contentBytes };
}

function everyByte(bytes: Buffer): number[] {
  return Array.from(bytes, (_, index) => index);
}

for (const { name, attack, bytes, reason, rest, content } of vectors) {
  const verb = reason === undefined ? "accepts" : "refuses";
  test(`attack-${attack} chunked body scanner ${verb} ${name}`, (t) => {
    const buffer = bytesOf(bytes);
    const scanner = new ChunkedScanner();
    const whole = scanCut(scanner, buffer, []);
    if (reason === undefined) {
      t.deepEqual(whole, { taken: buffer.length - rest!, done: true, content });
    } else t.is(whole, reason);
    t.deepEqual(scanCut(scanner, buffer, everyByte(buffer)), whole);
  });
}

test("chunked body scanner counts a chunk of 2^53 - 1 bytes exactly", (t) => {
  const scanner = new ChunkedScanner();
  const size = bytesOf("1FFFFFFFFFFFFF\r\n");
  t.is(scanner.consume(size, 0, size.length), size.length);
  const data = Buffer.alloc(1024);
  t.is(scanner.consume(data, 0, data.length), data.length);
  t.is(scanner.contentBytes, 1024);
  t.false(scanner.done);
});

test("chunked body scanner takes nothing after the end, and a refusal stays", (t) => {
  const scanner = new ChunkedScanner();
  const ended = bytesOf("0\r\n\r\n");
  scanner.consume(ended, 0, ended.length);
  t.is(scanner.consume(ended, 0, ended.length), 0);
  t.true(scanner.done);
  scanner.reset();
  const bad = bytesOf("x");
  const code = scanner.consume(bad, 0, 1);
  t.is(scanner.consume(ended, 0, ended.length), code);
});

test("attack-50 chunked body of endless extensions is refused before it costs anything", (t) => {
  const scanner = new ChunkedScanner();
  const chunk = bytesOf(`1;${"a".repeat(200)}\r\nx\r\n`);
  let count = 0;
  let chunks = 0;
  while (count >= 0) {
    count = scanner.consume(chunk, 0, chunk.length);
    chunks += 1;
  }
  t.is(refusalOf(count).reason, "chunk_extension_too_long");
  t.true(chunks < 100);
});

test("chunked body scanner property: any cut gives the same answer, and only our codes", (t) => {
  const scanner = new ChunkedScanner();
  const vector = fc.constantFrom(...vectors).map(({ bytes }) => bytes);
  const bytes = fc.oneof(arbitraryChunked, mutated(arbitraryChunked), mutated(vector));
  fc.assert(
    fc.property(bytes, arbitraryCuts, (text, fractions) => {
      const buffer = bytesOf(text);
      const cuts = fractions.map((fraction) => Math.floor(fraction * text.length));
      t.deepEqual(scanCut(scanner, buffer, cuts), scanCut(scanner, buffer, []));
    }),
    fuzzOptions(t, 1000),
  );
  t.pass();
});
