import test from "ava";
import { seededRandom } from "#/lib/seeded-random.ts";
import { median, nextArrivalMs, percentile } from "./statistics.ts";

const medianIs = test.macro({
  exec: (t, values: readonly number[], expected: number) => t.is(median(values), expected),
  title: (_, values: readonly number[], expected: number) =>
    `median of [${values.join(", ")}] is ${expected}`,
});

test(medianIs, [3], 3);
test(medianIs, [9, 1, 5], 5);
test(medianIs, [4, 1, 2, 3], 2.5);
// As text, 10 sorts before 9.
test(medianIs, [10, 9, 100], 10);
test(medianIs, [], Number.NaN);

const percentileIs = test.macro({
  exec: (t, sorted: readonly number[], share: number, expected: number) =>
    t.is(percentile(sorted, share), expected),
  title: (_, sorted: readonly number[], share: number, expected: number) =>
    `percentile ${share} of [${sorted.join(", ")}] is ${expected}`,
});

test(percentileIs, [1, 2, 3, 4], 0.5, 2);
test(percentileIs, [1, 2, 3, 4], 0.99, 4);
test(percentileIs, [1, 2, 3, 4], 1, 4);
test(percentileIs, [1, 2, 3, 4], 0, 1);
test(percentileIs, [], 0.5, Number.NaN);

test("nextArrivalMs has the mean of its rate", (t) => {
  const random = seededRandom(2);
  let total = 0;
  for (let count = 0; count < 30_000; count += 1) total += nextArrivalMs(3000, random);
  t.true(Math.abs(total / 10_000 - 1) < 0.03, `30,000 arrivals took ${total} ms`);
});

test("nextArrivalMs stays finite at both ends of chance", (t) => {
  t.is(
    nextArrivalMs(1000, () => 0),
    0,
  );
  t.true(Number.isFinite(nextArrivalMs(1000, () => 1 - 2 ** -32)));
});
