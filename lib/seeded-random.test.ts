import test from "ava";
import { seededRandom } from "./seeded-random.ts";

test("seededRandom gives the same numbers for the same seed, others for another", (t) => {
  const draw = (seed: number): number[] => Array.from({ length: 5 }, seededRandom(seed));
  t.deepEqual(draw(7), draw(7));
  t.notDeepEqual(draw(7), draw(8));
});

test("seededRandom stays within 0..1 and around one half", (t) => {
  const values = Array.from({ length: 10_000 }, seededRandom(1));
  t.true(values.every((value) => value >= 0 && value < 1));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  t.true(Math.abs(mean - 0.5) < 0.02);
});
