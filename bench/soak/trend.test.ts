import test from "ava";
import { judge } from "./trend.ts";
import type { Point } from "./trend.ts";

/** Half an hour, a sample each five seconds; noise that is always the same. */
function series(valueAt: (atS: number) => number, noise: number): readonly Point[] {
  let state = 1;
  return Array.from({ length: 360 }, (_, index) => {
    state = (state * 48_271) % 2_147_483_647;
    const atS = index * 5;
    return { atS, value: valueAt(atS) + noise * (state / 2_147_483_647 - 0.5) };
  });
}

/** KiB, as the soak has it. */
const least = 4096;

test("judge finds what does not grow flat, noise, sawtooth and warm-up included", (t) => {
  t.is(
    judge(
      series(() => 80_000, 6000),
      least,
    ).verdict,
    "flat",
  );
  t.is(
    judge(
      series((atS) => 80_000 + (atS % 45) * 200, 0),
      least,
    ).verdict,
    "flat",
  );
  const warmingUp = (atS: number): number => 80_000 - 40_000 * Math.exp(-atS / 100);
  t.is(judge(series(warmingUp, 3000), least).verdict, "flat");
  t.is(
    judge(
      series((atS) => 90_000 - atS * 10, 3000),
      least,
    ).verdict,
    "flat",
  );
});

test("judge leaves out what could not be read", (t) => {
  const holes = series(() => 80_000, 6000).map(({ atS, value }, index) => ({
    atS,
    value: index % 7 === 0 ? Number.NaN : value,
  }));
  t.is(judge(holes, least).verdict, "flat");
});

test("judge finds a leak: a kilobyte for each of ten requests a second", (t) => {
  const { verdict, growth, low, high } = judge(
    series((atS) => 80_000 + atS * 10, 6000),
    least,
  );
  t.is(verdict, "growing");
  // Two thirds of half an hour.
  t.true(low < 12_000 && 12_000 < high, `${low} ${growth} ${high}`);
});

test("judge counts no growth that is not worth naming", (t) => {
  t.is(
    judge(
      series((atS) => 80_000 + atS * 2, 100),
      least,
    ).verdict,
    "flat",
  );
  t.is(
    judge(
      series((atS) => 100 + atS / 100, 0),
      4,
    ).verdict,
    "growing",
  );
});

test("judge says that it cannot say: too few samples, or too wild", (t) => {
  t.is(judge(series(() => 80_000, 0).slice(0, 12), least).verdict, "unclear");
  t.is(judge([], least).verdict, "unclear");
  t.is(
    judge(
      series(() => 80_000, 400_000),
      least,
    ).verdict,
    "unclear",
  );
});
