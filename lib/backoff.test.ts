import test from "ava";
import { assert, double, integer, property, record } from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { backoffDelayMs } from "./backoff.ts";

const backoff = { baseMs: 100, maxMs: 5_000 };

test("backoff doubles from its base to its cap", (t) => {
  const ceilings = [0, 1, 2, 5, 6, 100].map((attempt) => backoffDelayMs(backoff, attempt, 1));
  t.deepEqual(ceilings, [100, 200, 400, 3200, 5000, 5000]);
  t.is(backoffDelayMs(backoff, 2, 0), 200);
});

test("backoff property: between half the ceiling and the ceiling, whatever the attempt", (t) => {
  const facts = record({
    attempt: integer({ min: 0, max: 2 ** 31 - 1 }),
    random: double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  });
  assert(
    property(facts, ({ attempt, random }) => {
      const delay = backoffDelayMs(backoff, attempt, random);
      const ceiling = Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(attempt, 30));
      return Number.isInteger(delay) && delay >= ceiling / 2 && delay <= ceiling;
    }),
    fuzzOptions(t, 300),
  );
  t.pass();
});
