import test from "ava";
import { array, assert, integer, property, tuple } from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
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
    fuzzOptions(t, 300),
  );
  t.pass();
});

const weights = tuple(integer({ min: 1, max: 100 }), integer({ min: 1, max: 100 }));

test("canary property: windows keep their promise while the weights change", (t) => {
  const phases = array(tuple(weights, integer({ min: 0, max: 40 })), {
    minLength: 1,
    maxLength: 12,
  });
  assert(
    property(phases, (changes) => {
      let canary: Canary<string> | null = null;
      // Picks less share, at each moment: any two of them are the ends of a window.
      let ahead = 0;
      let least = 0;
      let most = 0;
      for (const [[first, second], picks] of changes) {
        canary = new Canary(
          [
            { backend: "a", weight: first },
            { backend: "b", weight: second },
          ],
          canary,
        );
        for (let pick = 0; pick < picks; pick += 1) {
          ahead += (canary.pick() === "a" ? 1 : 0) - first / (first + second);
          least = Math.min(least, ahead);
          most = Math.max(most, ahead);
        }
      }
      return most - least <= 1 + 1e-9;
    }),
    fuzzOptions(t, 300),
  );
  t.pass();
});

test("canary property: many backends have their shares over a whole round, and none is starved", (t) => {
  const many = array(integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 8 });
  assert(
    property(many, integer({ min: 0, max: 50 }), (all, skip) => {
      const canary = new Canary(all.map((weight, index) => ({ backend: String(index), weight })));
      const total = all.reduce((sum, weight) => sum + weight, 0);
      share(canary, skip);
      const seen = share(canary, total);
      return total === 0 || all.every((weight, index) => (seen[String(index)] ?? 0) === weight);
    }),
    fuzzOptions(t, 300),
  );
  t.pass();
});

test("canary forgets nobody's turn however often the weights change", (t) => {
  let canary = new Canary<string>([]);
  let light = 0;
  for (let change = 0; change < 100; change += 1) {
    canary = new Canary(
      [
        { backend: "v1", weight: 90 + (change % 2) },
        { backend: "v2", weight: 10 },
      ],
      canary,
    );
    // Three picks a time: begun anew, none of them would ever be the light one's.
    light += share(canary, 3)["v2"] ?? 0;
  }
  t.true(light >= 29 && light <= 31, String(light));
});

test("canary leaves nothing owed to a backend that is gone, and begins even with one that is new", (t) => {
  let canary = new Canary([
    { backend: "v1", weight: 99 },
    { backend: "v2", weight: 1 },
  ]);
  share(canary, 49);
  canary = new Canary(
    [
      { backend: "v1", weight: 50 },
      { backend: "v3", weight: 50 },
    ],
    canary,
  );
  t.deepEqual(share(canary, 100), { v1: 50, v3: 50 });
  canary = new Canary([{ backend: "v3", weight: 1 }], canary);
  t.deepEqual(share(canary, 10), { v3: 10 });
});
