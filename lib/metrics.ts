// Counters, gauges and histograms in the Prometheus text format (version 0.0.4). Cells have a fixed
// shape and are kept by the hot path, so that counting is one addition. Label sets are bounded: past
// SERIES_MAX of a family everything new is counted in one series whose labels all read "other".

import { exposeReading } from "./metrics-text.ts";
import type { FamilyReading, GaugeMerge } from "./metrics-text.ts";

const SERIES_MAX = 1000;
const LABEL_CHARACTERS_MAX = 256;

/** One series of a counter or a gauge. */
export class Cell {
  value = 0;

  add(amount = 1): void {
    this.value += amount;
  }

  set(value: number): void {
    this.value = value;
  }
}

/** One series of a histogram; `bounds` are inclusive upper bounds, ascending. */
export class HistogramCell {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.bounds;
    let index = 0;
    while (index < bounds.length && value > bounds[index]!) index += 1;
    this.counts[index]! += 1;
    this.sum += value;
    this.count += 1;
  }
}

interface Family<T> {
  /** The series of these label values (as many as the family has names). Keep it: the look-up costs. */
  with(...labelValues: string[]): T;
}

export type CounterFamily = Family<Cell>;
export type HistogramFamily = Family<HistogramCell>;

export interface GaugeFamily extends Family<Cell> {
  /** Called before each exposition, to set what is cheaper to read than to follow. */
  onCollect(collect: () => void): void;
  /** Forgets every series. */
  clear(): void;
}

class Series<T> implements Family<T> {
  readonly cells = new Map<string, { readonly labels: string; readonly cell: T }>();
  readonly #names: readonly string[];
  readonly #create: () => T;

  constructor(names: readonly string[], create: () => T) {
    this.#names = names;
    this.#create = create;
  }

  with(...values: string[]): T {
    // As they will be written: two series of one text would make the whole exposition unreadable.
    const key = values.map((value) => value.slice(0, LABEL_CHARACTERS_MAX)).join("\u0000");
    const known = this.cells.get(key);
    if (known !== undefined) return known.cell;
    if (this.cells.size >= SERIES_MAX && values.some((value) => value !== "other")) {
      return this.with(...this.#names.map(() => "other"));
    }
    const labels = this.#names
      .map((name, index) => `${name}="${escapeLabel(values[index] ?? "")}"`)
      .join(",");
    const created = { labels, cell: this.#create() };
    this.cells.set(key, created);
    return created.cell;
  }

  clear(): void {
    this.cells.clear();
  }
}

class Gauges extends Series<Cell> implements GaugeFamily {
  readonly collectors: (() => void)[] = [];

  onCollect(collect: () => void): void {
    this.collectors.push(collect);
  }
}

type Kind =
  | { readonly type: "counter"; readonly series: Series<Cell> }
  | { readonly type: "gauge"; readonly merge: GaugeMerge; readonly series: Gauges }
  | { readonly type: "histogram"; readonly series: Series<HistogramCell> };

export class Registry {
  readonly #families = new Map<string, Kind & { readonly help: string }>();

  counter(name: string, help: string, labelNames: readonly string[] = []): CounterFamily {
    const series = new Series(labelNames, () => new Cell());
    this.#add(name, { type: "counter", series, help });
    return series;
  }

  /** `merge`: what several threads' values of it come to. */
  gauge(
    name: string,
    help: string,
    labelNames: readonly string[] = [],
    merge: GaugeMerge = "sum",
  ): GaugeFamily {
    const series = new Gauges(labelNames, () => new Cell());
    this.#add(name, { type: "gauge", merge, series, help });
    return series;
  }

  histogram(
    name: string,
    help: string,
    labelNames: readonly string[],
    bounds: readonly number[],
  ): HistogramFamily {
    const series = new Series(labelNames, () => new HistogramCell(bounds));
    this.#add(name, { type: "histogram", series, help });
    return series;
  }

  /** Names with their help sentence and type, for the documentation. */
  describe(): readonly { name: string; type: string; help: string }[] {
    return [...this.#families].map(([name, { type, help }]) => ({ name, type, help }));
  }

  /** What is counted now. */
  read(): readonly FamilyReading[] {
    for (const family of this.#families.values()) {
      if (family.type === "gauge") for (const collect of family.series.collectors) collect();
    }
    return [...this.#families].map(([name, family]) => readFamily(name, family));
  }

  /** The text that a Prometheus server reads. */
  expose(): string {
    return exposeReading(this.read());
  }

  #add(name: string, family: Kind & { readonly help: string }): void {
    if (this.#families.has(name)) throw new Error(`Metric "${name}" is declared twice`);
    this.#families.set(name, family);
  }
}

function readFamily(name: string, family: Kind & { readonly help: string }): FamilyReading {
  const { help } = family;
  if (family.type === "histogram") {
    const series = Array.from(family.series.cells.values(), ({ labels, cell }) => {
      const { bounds, counts, sum, count } = cell;
      return { labels, bounds, counts: counts.slice(), sum, count };
    });
    return { name, help, type: "histogram", series };
  }
  const series = Array.from(family.series.cells.values(), ({ labels, cell }) => ({
    labels,
    value: cell.value,
  }));
  return family.type === "counter"
    ? { name, help, type: "counter", series }
    : { name, help, type: "gauge", merge: family.merge, series };
}

function escapeLabel(value: string): string {
  return value
    .slice(0, LABEL_CHARACTERS_MAX)
    .replaceAll("\\", String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll("\n", String.raw`\n`);
}
