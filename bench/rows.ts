// Samples of many rounds -> rows for programs and a table for people. Pure.
import type { Phase } from "./phases.ts";
import { median } from "./statistics.ts";

export type Metric =
  | "cpu_us"
  | "cpu_s_per_gib"
  | "rps"
  | "p50_us"
  | "p99_us"
  | "rss_kib"
  | "pss_kib"
  | "errors"
  | "issues_per_s"
  | "ready_ms"
  | "cpu_ms"
  | "node_ms"
  | "load_ms"
  | "image_mb"
  | "connection_kib"
  | "cut_ms"
  | "descriptors_left"
  | Phase["metric"];

/** What one subject showed in one round. */
export interface Sample {
  readonly subject: string;
  readonly metric: Metric;
  readonly value: number;
}

/** One result: the median over the rounds, with the spread. */
export interface Row {
  readonly suite: string;
  readonly work: string;
  readonly subject: string;
  readonly metric: Metric;
  readonly unit: string;
  readonly value: number;
  /** value / Envoy's value; null where Envoy has none, or where it is zero. */
  readonly ratioToEnvoy: number | null;
  /** The same against step-ca, which takes part in the suite `ca` alone. */
  readonly ratioToStepCa: number | null;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
}

interface MetricFacts {
  readonly unit: string;
  readonly better: "lower" | "higher";
}

const metrics: Readonly<Record<Metric, MetricFacts>> = {
  cpu_us: { unit: "us", better: "lower" },
  cpu_s_per_gib: { unit: "s/GiB", better: "lower" },
  rps: { unit: "1/s", better: "higher" },
  p50_us: { unit: "us", better: "lower" },
  p99_us: { unit: "us", better: "lower" },
  rss_kib: { unit: "KiB", better: "lower" },
  pss_kib: { unit: "KiB", better: "lower" },
  errors: { unit: "count", better: "lower" },
  issues_per_s: { unit: "1/s", better: "higher" },
  ready_ms: { unit: "ms", better: "lower" },
  cpu_ms: { unit: "ms", better: "lower" },
  node_ms: { unit: "ms", better: "lower" },
  image_mb: { unit: "MB", better: "lower" },
  load_ms: { unit: "ms", better: "lower" },
  connection_kib: { unit: "KiB", better: "lower" },
  cut_ms: { unit: "ms", better: "lower" },
  descriptors_left: { unit: "count", better: "lower" },
  issue_ms: { unit: "ms", better: "lower" },
  discovery_ms: { unit: "ms", better: "lower" },
};

/** Rows in the order in which subjects and metrics first appear. */
export function buildRows(suite: string, work: string, samples: readonly Sample[]): Row[] {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = `${sample.subject} ${sample.metric}`;
    const group = groups.get(key);
    if (group) group.push(sample);
    else groups.set(key, [sample]);
  }
  const rows = [...groups.values()].map((group): Row => {
    const { subject, metric } = group[0]!;
    const values = group.map((each) => each.value);
    return {
      suite,
      work,
      subject,
      metric,
      unit: metrics[metric].unit,
      // Errors are never averaged away: one bad round spoils the work.
      value: metric === "errors" ? Math.max(...values) : round(median(values)),
      ratioToEnvoy: null,
      ratioToStepCa: null,
      min: round(Math.min(...values)),
      max: round(Math.max(...values)),
      rounds: values.length,
    };
  });
  return rows.map((row) =>
    Object.assign(row, {
      ratioToEnvoy: ratio(row, rows, "envoy"),
      ratioToStepCa: ratio(row, rows, "step-ca"),
    }),
  );
}

/** Against the better of the peer's configurations ("envoy", "envoy-http2", ...) for this metric. */
function ratio(row: Row, rows: readonly Row[], peer: string): number | null {
  const values = rows
    .filter(({ metric, subject }) => metric === row.metric && isOf(peer, subject))
    .map((each) => each.value)
    .filter((value) => Number.isFinite(value) && value > 0);
  if (values.length === 0 || row.metric === "errors") return null;
  const lower = metrics[row.metric].better === "lower";
  const best = lower ? Math.min(...values) : Math.max(...values);
  return Math.round((row.value / best) * 1000) / 1000;
}

function isOf(peer: string, subject: string): boolean {
  return subject === peer || subject.startsWith(`${peer}-`);
}

/** Three significant digits are more than the machine's noise leaves. */
function round(value: number): number {
  if (!Number.isFinite(value) || Math.abs(value) >= 1000) return Math.round(value);
  return Number(value.toPrecision(4));
}

/** One work as text: a line per subject, each cell `median (min-max) xRatio`. */
export function renderWork(rows: readonly Row[]): string {
  const shown = rows.filter((row) => row.metric !== "errors" || row.value > 0);
  const columns = [...new Set(shown.map((row) => row.metric))];
  const subjects = [...new Set(rows.map((row) => row.subject))];
  const header = ["", ...columns.map((metric) => `${metric} [${metrics[metric].unit}]`)];
  const cell = (subject: string, metric: Metric): string => {
    const row = rows.find((each) => each.subject === subject && each.metric === metric);
    return row === undefined ? "-" : cellText(row);
  };
  const body = subjects.map((subject) =>
    [subject].concat(columns.map((metric) => cell(subject, metric))),
  );
  return renderTable([header, ...body]);
}

function cellText(row: Row): string {
  const ratio = row.ratioToEnvoy ?? row.ratioToStepCa;
  const factor = ratio === null ? "" : ` x${ratio.toFixed(2)}`;
  const spread = row.rounds > 1 ? ` (${row.min}-${row.max})` : "";
  return `${row.value}${spread}${factor}`;
}

function renderTable(cells: readonly (readonly string[])[]): string {
  const widths = cells[0]!.map((_, column) =>
    Math.max(...cells.map((line) => line[column]!.length)),
  );
  const lines = cells.map((line) =>
    line
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!),
      )
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}
