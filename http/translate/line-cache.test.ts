import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { fieldLine } from "../http2/field-line.ts";
import type { FieldLine } from "../http2/field-line.ts";
import { CACHED_BYTES_MAX, LineCache } from "./line-cache.ts";

/** Asks for a line, and has it remembered where the cache wants that. */
function ask(cache: LineCache, text: string): FieldLine | null {
  const bytes = Buffer.from(`..${text}..`, "latin1");
  const found = cache.find(bytes, 2, 2 + text.length);
  if (found === null && cache.cameBefore) {
    cache.remember(bytes, 2, 2 + text.length, fieldLine("line", text));
  }
  return found;
}

const valueOf = (line: FieldLine | null): string | null =>
  line === null ? null : line.bytes.toString("latin1", line.nameEnd);

test("line cache knows a line the third time", (t) => {
  const cache = new LineCache();
  cache.begin();
  t.is(ask(cache, "A: b"), null);
  t.is(ask(cache, "A: b"), null);
  const line = ask(cache, "A: b");
  t.is(valueOf(line), "A: b");
  t.is(ask(cache, "A: b"), line, "with the same number");
});

test("line cache keeps apart what differs in one byte", (t) => {
  const cache = new LineCache();
  const texts = [
    "A: b",
    "a: b",
    "A: c",
    "A:  b",
    "A: b ",
    `A: ${"x".repeat(99)}y${"x".repeat(99)}`,
  ];
  const last = `A: ${"x".repeat(99)}z${"x".repeat(99)}`;
  for (let round = 0; round < 4; round += 1) {
    cache.begin();
    for (const text of [...texts, last]) {
      const value = valueOf(ask(cache, text));
      if (value !== null) t.is(value, text);
    }
  }
});

test("line cache remembers nothing that comes once, and nothing that is too long", (t) => {
  const cache = new LineCache();
  for (let at = 0; at < 1000; at += 1) {
    cache.begin();
    t.is(ask(cache, `X-Id: ${at}`), null);
  }
  const long = "x".repeat(CACHED_BYTES_MAX + 1);
  for (let round = 0; round < 4; round += 1) t.is(ask(cache, long), null);
  t.false(cache.cameBefore);
});

test("line cache keeps what is used when more comes than it has places for", (t) => {
  const cache = new LineCache();
  const used = Array.from({ length: 10 }, (_, at) => `Used-${at}: yes`);
  for (let round = 0; round < 3; round += 1) {
    cache.begin();
    for (const text of used) ask(cache, text);
  }
  let missed = 0;
  for (let round = 0; round < 2000; round += 1) {
    cache.begin();
    for (const text of used) if (ask(cache, text) === null) missed += 1;
    // Each of these comes twice and never again.
    for (let rush = 0; rush < 20; rush += 1) ask(cache, `Rush: ${round >> 1} ${rush}`);
  }
  t.true(missed < 100, `${missed} of 20000 were not known`);
});

test("line cache property: what is found stands for exactly these bytes", (t) => {
  const text = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.array(fc.oneof(text, fc.constant(null)), { maxLength: 200 }), (asked) => {
      const cache = new LineCache();
      for (const each of asked) {
        if (each === null) cache.begin();
        else {
          const found = valueOf(ask(cache, each));
          if (found !== null) t.is(found, each);
        }
      }
    }),
    fuzzOptions(t, 200),
  );
  t.pass();
});
