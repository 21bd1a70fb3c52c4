// The few statistics that the bench needs. Pure.

/** The middle value; of an even count the mean of the two in the middle. NaN when empty. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Nearest-rank percentile of ascending `sorted`; `share` in 0..1. NaN when empty. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const rank = Math.ceil(share * sorted.length);
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1]!;
}

/** Milliseconds to the next arrival of a Poisson process of `rate` per second. */
export function nextArrivalMs(rate: number, random: () => number): number {
  return ((0 - Math.log(1 - random())) * 1000) / rate;
}
