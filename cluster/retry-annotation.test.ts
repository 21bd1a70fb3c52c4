import * as fc from "fast-check";
import test from "ava";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { readRetryAnnotation } from "./retry-annotation.ts";

const nothing = { codes: null, attempts: null, backoffMs: null };
const good: readonly [text: string, wish: object][] = [
  [
    "attempts=12 codes=500,502,503,504 backoff=25ms",
    { attempts: 12, codes: [500, 502, 503, 504], backoffMs: 25 },
  ],
  ["backoff=1s", { ...nothing, backoffMs: 1000 }],
  ["  codes=429\n attempts=0\t", { ...nothing, codes: [429], attempts: 0 }],
  ["attempts=16", { ...nothing, attempts: 16 }],
];
for (const [text, wish] of good) {
  test(`readRetryAnnotation reads ${JSON.stringify(text)}`, (t) => {
    t.deepEqual(readRetryAnnotation(text), wish as never);
  });
}

const many = Array.from({ length: 33 }, () => "500").join();
const bad: readonly [text: string, fault: RegExp][] = [
  ["", /^is empty; write it like "attempts=2/],
  [" \n", /^is empty/],
  ["attemps=12", /^"attemps=12" is not understood; write it like/],
  ["12", /^"12" is not understood/],
  ["attempts = 12", /^"attempts" is not understood/],
  ["attempts=1,codes=500", /^"attempts" is not a whole number from 0 to 16$/],
  ["attempts=17", /whole number/],
  ["attempts=-1", /whole number/],
  ["attempts=1e1", /whole number/],
  ["attempts=", /whole number/],
  ["attempts=1 attempts=2", /^"attempts" is there twice$/],
  ["codes=5xx", /^"codes" are not/],
  ["codes=200", /^"codes" are not/],
  ["codes=500, 502", /^"502" is not understood/],
  [`codes=${many}`, /at most 32 numbers/],
  ["backoff=25", /^"backoff" is not a duration/],
  ["backoff=", /^"backoff" is not a duration/],
  ["constructor=1", /is not understood/],
  ["x".repeat(513), /more than 512 characters/],
];
for (const [text, fault] of bad) {
  test(`readRetryAnnotation refuses ${JSON.stringify(text.slice(0, 60))}`, (t) => {
    const read = readRetryAnnotation(text);
    t.regex("fault" in read ? read.fault : "it was read", fault);
  });
}

test("property: readRetryAnnotation is total, and reads back what it is written from", (t) => {
  fc.assert(
    fc.property(fc.string({ maxLength: 600 }), (text) => void readRetryAnnotation(text)),
    fuzzOptions(t, 500),
  );
  const wish = fc.record({
    attempts: fc.integer({ min: 0, max: 16 }),
    codes: fc.array(fc.integer({ min: 400, max: 599 }), { minLength: 1, maxLength: 32 }),
    backoffMs: fc.integer({ min: 0, max: 99_999 }),
  });
  fc.assert(
    fc.property(wish, ({ attempts, codes, backoffMs }) => {
      const text = `backoff=${backoffMs}ms codes=${codes.join()} attempts=${attempts}`;
      t.deepEqual(readRetryAnnotation(text), { attempts, codes, backoffMs });
    }),
    fuzzOptions(t, 500),
  );
});
