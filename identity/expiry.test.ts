import test from "ava";
import { expiryOf, shareLeft } from "./expiry.ts";
import type { Expiry } from "./expiry.ts";

const life = { notBefore: 1_000, notAfter: 2_000 };
const cases: readonly [now: number, wanted: Expiry][] = [
  [0, "ample"],
  [1_499, "ample"],
  [1_500, "half"],
  [1_749, "half"],
  [1_750, "quarter"],
  [1_899, "quarter"],
  [1_900, "tenth"],
  [1_999, "tenth"],
  [2_000, "ended"],
  [9_000, "ended"],
];
for (const [now, wanted] of cases) {
  test(`expiryOf a life of 1000 to 2000 at ${now} is ${wanted}`, (t) => {
    t.is(expiryOf(life, now), wanted);
  });
}

test("shareLeft stays within 0 and 1, also of a life that is none", (t) => {
  t.is(shareLeft(life, 0), 1);
  t.is(shareLeft(life, 1_250), 0.75);
  t.is(shareLeft({ notBefore: 5, notAfter: 5 }, 1), 0);
});
