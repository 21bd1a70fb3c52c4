// Counters, gauges and histograms in the Prometheus text format (version 0.0.4). Cells have a fixed
// shape and are kept by the hot path, so that counting is one addition. Label sets are bounded: past
// SERIES_MAX of a family everything new is counted in one series whose labels all read "other".

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
  | { readonly type: "gauge"; readonly series: Gauges }
  | { readonly type: "histogram"; readonly series: Series<HistogramCell> };

export class Registry {
  readonly #families = new Map<string, Kind & { readonly help: string }>();

  counter(name: string, help: string, labelNames: readonly string[] = []): CounterFamily {
    const series = new Series(labelNames, () => new Cell());
    this.#add(name, { type: "counter", series, help });
    return series;
  }

  gauge(name: string, help: string, labelNames: readonly string[] = []): GaugeFamily {
    const series = new Gauges(labelNames, () => new Cell());
    this.#add(name, { type: "gauge", series, help });
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

  /** The text that a Prometheus server reads. */
  expose(): string {
    const lines: string[] = [];
    for (const [name, family] of this.#families) {
      if (family.type === "gauge") for (const collect of family.series.collectors) collect();
      lines.push(`# HELP ${name} ${family.help}`, `# TYPE ${name} ${family.type}`);
      if (family.type === "histogram") exposeHistogram(lines, name, family.series);
      else {
        for (const { labels, cell } of family.series.cells.values()) {
          lines.push(`${name}${labels === "" ? "" : `{${labels}}`} ${cell.value}`);
        }
      }
    }
    return `${lines.join("\n")}\n`;
  }

  #add(name: string, family: Kind & { readonly help: string }): void {
    if (this.#families.has(name)) throw new Error(`Metric "${name}" is declared twice`);
    this.#families.set(name, family);
  }
}

function exposeHistogram(lines: string[], name: string, series: Series<HistogramCell>): void {
  for (const { labels, cell } of series.cells.values()) {
    const prefix = labels === "" ? "" : `${labels},`;
    let cumulative = 0;
    for (const [index, bound] of cell.bounds.entries()) {
      cumulative += cell.counts[index]!;
      lines.push(`${name}_bucket{${prefix}le="${bound}"} ${cumulative}`);
    }
    lines.push(`${name}_bucket{${prefix}le="+Inf"} ${cell.count}`);
    const braces = labels === "" ? "" : `{${labels}}`;
    lines.push(`${name}_sum${braces} ${cell.sum}`, `${name}_count${braces} ${cell.count}`);
  }
}

function escapeLabel(value: string): string {
  return value
    .slice(0, LABEL_CHARACTERS_MAX)
    .replaceAll("\\", String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll("\n", String.raw`\n`);
}
