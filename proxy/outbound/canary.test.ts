import test from "ava";
import { assert, integer, property } from "fast-check";
import { fuzzRuns } from "#/test/kit/fuzz.ts";
import { Canary } from "./canary.ts";

function share(canary: Canary<string>, picks: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let index = 0; index < picks; index += 1) {
    const backend = canary.pick() ?? "none";
    counts[backend] = (counts[backend] ?? 0) + 1;
  }
  return counts;
}

test("canary gives exact shares over a thousand picks", (t) => {
  const canary = new Canary([
    { backend: "v1", weight: 90 },
    { backend: "v2", weight: 10 },
  ]);
  t.deepEqual(share(canary, 1000), { v1: 900, v2: 100 });
});

test("canary never picks a backend of weight 0", (t) => {
  const canary = new Canary([
    { backend: "v1", weight: 1 },
    { backend: "v2", weight: 0 },
  ]);
  t.deepEqual(share(canary, 100), { v1: 100 });
});

test("canary picks nothing when there is nothing to pick", (t) => {
  t.is(new Canary<string>([]).pick(), null);
  t.is(new Canary([{ backend: "v1", weight: 0 }]).pick(), null);
});

test("canary knows when its choices are the same", (t) => {
  const choices = [
    { backend: "v1", weight: 9 },
    { backend: "v2", weight: 1 },
  ];
  const canary = new Canary(choices);
  t.true(canary.sameAs(choices));
  t.false(canary.sameAs([choices[0]!]));
  t.false(canary.sameAs([choices[0]!, { backend: "v2", weight: 2 }]));
});

test("canary property: two backends are within one pick of their shares in any window", (t) => {
  assert(
    property(
      integer({ min: 1, max: 100 }),
      integer({ min: 1, max: 100 }),
      integer({ min: 0, max: 300 }),
      integer({ min: 1, max: 300 }),
      (first, second, skip, window) => {
        const canary = new Canary([
          { backend: "a", weight: first },
          { backend: "b", weight: second },
        ]);
        share(canary, skip);
        const seen = share(canary, window)["a"] ?? 0;
        return Math.abs(seen - (window * first) / (first + second)) <= 1 + 1e-9;
      },
    ),
    { numRuns: fuzzRuns(300) },
  );
  t.pass();
});
