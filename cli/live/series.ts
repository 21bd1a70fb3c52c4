// Arithmetic on counters and histograms: what happened between two scrapes of one process. Pure.
import type { Sample } from "./scrape.ts";

/** Scraped counters by their name and labels; made once for a scrape. */
export type Counters = ReadonlyMap<string, Sample>;

export function indexSamples(samples: readonly Sample[]): Counters {
  return new Map(samples.map((sample) => [keyOf(sample), sample]));
}

/**
 * The growth of every counter called `name` since `before`. A counter that is smaller than before
 * belongs to a process that started anew: all of it is growth. `before` null: all of it, too.
 */
export function growth(name: string, before: Counters | null, after: Counters): Sample[] {
  const grown: Sample[] = [];
  for (const [key, sample] of after) {
    if (sample.name !== name) continue;
    const old = before?.get(key)?.value ?? 0;
    const value = sample.value >= old ? sample.value - old : sample.value;
    if (value > 0) grown.push({ ...sample, value });
  }
  return grown;
}

export function total(samples: readonly Sample[]): number {
  return samples.reduce((sum, { value }) => sum + value, 0);
}

/** Sums by the text that `key` makes of the labels, biggest first. */
export function sumBy(
  samples: readonly Sample[],
  key: (labels: Sample["labels"]) => string,
): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { labels, value } of samples) {
    const text = key(labels);
    sums.set(text, (sums.get(text) ?? 0) + value);
  }
  return new Map([...sums].sort((one, other) => other[1] - one[1]));
}

/**
 * The value below which `share` of the observations lie, from the growth of a histogram's `_bucket`
 * series (cumulative), spread evenly within a bucket. null without observations; the highest finite
 * bound when the answer lies beyond it.
 */
export function quantile(buckets: readonly Sample[], share: number): number | null {
  const byBound = new Map<number, number>();
  for (const { labels, value } of buckets) {
    const bound = labels["le"] === "+Inf" ? Infinity : Number(labels["le"]);
    byBound.set(bound, (byBound.get(bound) ?? 0) + value);
  }
  const ascending = [...byBound].sort((one, other) => one[0] - other[0]);
  const all = ascending.at(-1)?.[1] ?? 0;
  if (all <= 0) return null;
  const wanted = share * all;
  let low = 0;
  let below = 0;
  for (const [bound, cumulative] of ascending) {
    if (cumulative >= wanted && cumulative > below) {
      if (bound === Infinity) return low;
      return low + ((bound - low) * (wanted - below)) / (cumulative - below);
    }
    if (bound !== Infinity) low = bound;
    below = Math.max(below, cumulative);
  }
  return low;
}

function keyOf({ name, labels }: Sample): string {
  const parts = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
  return [name, ...parts.sort()].join("\u0000");
}
