// Metrics as they were at one moment, as the text that a Prometheus server reads, and several of them as one: what
// the threads of a process counted each for itself. Pure.

export interface CellReading {
  /** `name="value",...`, escaped. */
  readonly labels: string;
  readonly value: number;
}

export interface HistogramReading {
  readonly labels: string;
  /** Inclusive upper bounds, ascending. */
  readonly bounds: readonly number[];
  /** One more than there are bounds; not cumulative. */
  readonly counts: Float64Array;
  readonly sum: number;
  readonly count: number;
}

/** What becomes of several readings of one gauge. */
export type GaugeMerge = "sum" | "max";

export type FamilyReading = { readonly name: string; readonly help: string } & (
  | { readonly type: "counter"; readonly series: readonly CellReading[] }
  | { readonly type: "gauge"; readonly merge: GaugeMerge; readonly series: readonly CellReading[] }
  | { readonly type: "histogram"; readonly series: readonly HistogramReading[] }
);

/** Families in the order of the first reading that has them. */
export function mergeReadings(
  readings: readonly (readonly FamilyReading[])[],
): readonly FamilyReading[] {
  const merged = new Map<string, FamilyReading>();
  for (const family of readings.flat()) {
    const before = merged.get(family.name);
    merged.set(family.name, before === undefined ? family : mergeFamily(before, family));
  }
  return [...merged.values()];
}

/** What outlives its thread: counters and histograms. */
export function withoutGauges(reading: readonly FamilyReading[]): readonly FamilyReading[] {
  return reading.filter(({ type }) => type !== "gauge");
}

export function exposeReading(reading: readonly FamilyReading[]): string {
  const lines: string[] = [];
  for (const family of reading) {
    const { name, help, type } = family;
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    if (family.type === "histogram") exposeHistogram(lines, name, family.series);
    else {
      for (const { labels, value } of family.series) {
        lines.push(`${name}${labels === "" ? "" : `{${labels}}`} ${value}`);
      }
    }
  }
  return `${lines.join("\n")}\n`;
}

function mergeFamily(before: FamilyReading, after: FamilyReading): FamilyReading {
  if (before.type === "histogram" && after.type === "histogram") {
    return { ...before, series: mergeSeries(before.series, after.series, addHistograms) };
  }
  if (before.type === "histogram" || after.type === "histogram") return before;
  const isMax = before.type === "gauge" && before.merge === "max";
  const join = (one: CellReading, other: CellReading): CellReading => ({
    labels: one.labels,
    value: isMax ? Math.max(one.value, other.value) : one.value + other.value,
  });
  return { ...before, series: mergeSeries(before.series, after.series, join) };
}

function mergeSeries<T extends { readonly labels: string }>(
  before: readonly T[],
  after: readonly T[],
  join: (one: T, other: T) => T,
): readonly T[] {
  const byLabels = new Map(before.map((each) => [each.labels, each]));
  for (const each of after) {
    const known = byLabels.get(each.labels);
    byLabels.set(each.labels, known === undefined ? each : join(known, each));
  }
  return [...byLabels.values()];
}

function addHistograms(one: HistogramReading, other: HistogramReading): HistogramReading {
  return {
    ...one,
    counts: one.counts.map((count, index) => count + (other.counts[index] ?? 0)),
    sum: one.sum + other.sum,
    count: one.count + other.count,
  };
}

function exposeHistogram(lines: string[], name: string, series: readonly HistogramReading[]): void {
  for (const { labels, bounds, counts, sum, count } of series) {
    const prefix = labels === "" ? "" : `${labels},`;
    let cumulative = 0;
    for (const [index, bound] of bounds.entries()) {
      cumulative += counts[index]!;
      lines.push(`${name}_bucket{${prefix}le="${bound}"} ${cumulative}`);
    }
    lines.push(`${name}_bucket{${prefix}le="+Inf"} ${count}`);
    const braces = labels === "" ? "" : `{${labels}}`;
    lines.push(`${name}_sum${braces} ${sum}`, `${name}_count${braces} ${count}`);
  }
}
