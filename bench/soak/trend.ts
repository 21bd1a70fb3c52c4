// Does it grow? A straight line through what was sampled, with how sure one can be of its slope. Pure.
import { median } from "../statistics.ts";

export interface Point {
  readonly atS: number;
  readonly value: number;
}

/** growing: proven. flat: proven. unclear: it moves too much, or was watched too briefly, to say. */
export type Verdict = "flat" | "growing" | "unclear";

export interface Trend {
  readonly verdict: Verdict;
  /** Mean of the part that is judged. */
  readonly level: number;
  /** By the line, over the part that is judged; `low` and `high` bound it with 95 % confidence. */
  readonly growth: number;
  readonly low: number;
  readonly high: number;
}

/** The first third is start and warm-up. */
const judgedShare = 2 / 3;
/** Neighbouring samples are alike: so many medians of neighbours are what the line is drawn through. */
const binsMax = 20;
const binsMin = 5;
/** Growth below this share of the level, over the whole of what is judged, is none. */
const toleratedShare = 0.05;

/** Two-sided 95 % of Student's t, by degrees of freedom from 3 (five bins) to 18 (twenty). */
const studentT = [
  3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12,
  2.11, 2.101,
];

export const rule: string =
  "Judged are the last two thirds, as medians of up to 20 stretches, by the line of least squares through them. " +
  "Growth over that time counts from 5 % of the level (or the least that is worth naming) on: flat is what stays below " +
  "it with 95 % confidence, growing what exceeds it while its whole interval is above zero, unclear all else.";

/**
 * `least`: growth below it, in the points' own unit, is none either. Points in order of time; what could not
 * be read is NaN and left out.
 */
export function judge(points: readonly Point[], least: number): Trend {
  const bins = binned(lastPart(points.filter(({ value }) => Number.isFinite(value))));
  const level = mean(bins.map(({ value }) => value));
  if (bins.length < binsMin) {
    return { verdict: "unclear", level, growth: Number.NaN, low: Number.NaN, high: Number.NaN };
  }
  const { slope, error } = line(bins);
  const spanS = bins.at(-1)!.atS - bins[0]!.atS;
  const margin = studentT[bins.length - binsMin]! * error * spanS;
  const growth = slope * spanS;
  const [low, high] = [growth - margin, growth + margin];
  const tolerated = Math.max(least, toleratedShare * Math.abs(level));
  const verdict =
    high <= tolerated ? "flat" : low > 0 && growth > tolerated ? "growing" : "unclear";
  return { verdict, level, growth, low, high };
}

function lastPart(points: readonly Point[]): readonly Point[] {
  const first = points[0]?.atS ?? 0;
  const last = points.at(-1)?.atS ?? 0;
  return points.filter(({ atS }) => atS >= last - judgedShare * (last - first));
}

/** Medians of stretches of equal numbers, at their middle. */
function binned(points: readonly Point[]): readonly Point[] {
  const count = Math.min(binsMax, Math.floor(points.length / 3));
  return Array.from({ length: count }, (_, index) => {
    const from = Math.floor((index * points.length) / count);
    const to = Math.floor(((index + 1) * points.length) / count);
    const part = points.slice(from, to);
    return { atS: mean(part.map(({ atS }) => atS)), value: median(part.map(({ value }) => value)) };
  });
}

/** Least squares: slope per second, and its standard error. */
function line(points: readonly Point[]): { readonly slope: number; readonly error: number } {
  const middle = mean(points.map(({ atS }) => atS));
  const level = mean(points.map(({ value }) => value));
  let xx = 0;
  let xy = 0;
  for (const { atS, value } of points) {
    xx += (atS - middle) ** 2;
    xy += (atS - middle) * (value - level);
  }
  const slope = xy / xx;
  const rest = points.reduce(
    (sum, { atS, value }) => sum + (value - level - slope * (atS - middle)) ** 2,
    0,
  );
  return { slope, error: Math.sqrt(rest / (points.length - 2) / xx) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
