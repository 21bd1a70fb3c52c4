// The soak's outcome: verdicts over its samples, as text and as a record for programs. Pure.
import { figures } from "./sidecar-sample.ts";
import type { SidecarSample } from "./sidecar-sample.ts";
import { kinds } from "./tally.ts";
import type { KindReport, TallyReport } from "./tally.ts";
import { judge } from "./trend.ts";
import type { Trend } from "./trend.ts";

export type Side = "outbound" | "inbound";

export interface Moment {
  /** Since the soak's beginning. */
  readonly atS: number;
  readonly outbound: SidecarSample;
  readonly inbound: SidecarSample;
  /** What passed since the moment before. */
  readonly traffic: TallyReport;
}

/** As the bench's rows, with a line's slope in place of rounds. */
interface TrendRow extends Trend {
  readonly suite: "soak";
  readonly work: "mixed";
  readonly subject: `signet-${Side}`;
  readonly metric: string;
  readonly unit: string;
}

export interface Outcome {
  readonly rows: readonly TrendRow[];
  readonly traffic: Readonly<Record<string, KindReport>>;
  readonly firstFault: string;
  /** Nothing grows, nothing failed. */
  readonly good: boolean;
}

export function conclude(moments: readonly Moment[]): Outcome {
  const rows = (["outbound", "inbound"] as const).flatMap((side) =>
    Object.entries(figures).map(([key, { name, unit, least }]): TrendRow => {
      const points = moments.map((moment) => ({
        atS: moment.atS,
        value: moment[side][key as keyof SidecarSample],
      }));
      const subject = `signet-${side}` as const;
      const row = { suite: "soak", work: "mixed", subject, metric: name, unit } as const;
      return Object.assign(row, judge(points, least));
    }),
  );
  const traffic = Object.fromEntries(
    kinds.map((kind) => [kind, sumOf(moments.map((moment) => moment.traffic[kind]))]),
  );
  const failed = Object.values(traffic).reduce((sum, each) => sum + each.failed, 0);
  const good = failed === 0 && rows.every(({ verdict }) => verdict !== "growing");
  return { rows, traffic, firstFault: moments.at(-1)?.traffic.firstFault ?? "", good };
}

/** Counts added up; of the latencies the worst. */
function sumOf(reports: readonly KindReport[]): KindReport {
  const sum = (read: (each: KindReport) => number): number =>
    reports.reduce((total, each) => total + read(each), 0);
  const worst = (read: (each: KindReport) => number): number =>
    Math.max(0, ...reports.map(read).filter((value) => Number.isFinite(value)));
  return {
    done: sum(({ done }) => done),
    failed: sum(({ failed }) => failed),
    reopened: sum(({ reopened }) => reopened),
    p50Ms: worst(({ p50Ms }) => p50Ms),
    p99Ms: worst(({ p99Ms }) => p99Ms),
  };
}

/** One line while it runs. */
export function progressLine({ atS, outbound, inbound, traffic }: Moment, wholeS: number): string {
  const side = (name: string, sample: SidecarSample): string =>
    `${name} ${mib(sample.rssKib)} (heap ${mib(sample.heapKib)}), ${sample.descriptors} open`;
  const { kept } = traffic;
  const failed = kinds.reduce((sum, kind) => sum + traffic[kind].failed, 0);
  return `${clock(atS)} of ${clock(wholeS)}  ${side("outbound", outbound)}; ${side("inbound", inbound)}; p99 ${kept.p99Ms} ms, ${failed} failed`;
}

export function outcomeText({ rows, traffic, firstFault, good }: Outcome): string {
  const lines = rows.map(({ subject, metric, unit, verdict, level, growth, low, high }) => {
    const show = (value: number): string =>
      unit === "KiB" ? `${(value / 1024).toFixed(2)} MiB` : value.toFixed(1);
    const change = Number.isFinite(growth)
      ? `${show(growth)} (${show(low)} to ${show(high)})`
      : "too few samples";
    return `${subject.padEnd(16)} ${metric.padEnd(13)} ${verdict.padEnd(8)} ${show(level).padStart(10)}  growth ${change}`;
  });
  const passed = Object.entries(traffic).map(
    ([kind, { done, failed, reopened, p99Ms }]) =>
      `${kind.padEnd(12)} ${String(done).padStart(9)} done, ${failed} failed, ${reopened} reopened, worst p99 ${p99Ms} ms`,
  );
  const fault = firstFault === "" ? [] : [`First fault: ${firstFault}`];
  const growing = rows.some(({ verdict }) => verdict === "growing");
  const unclear = rows.some(({ verdict }) => verdict === "unclear");
  const verdict = growing
    ? "Something grows"
    : unclear
      ? "Nothing is proven to grow; a longer run would tell what is unclear"
      : "Nothing grows";
  return `${[...lines, "", ...passed, ...fault, "", `${verdict}${good || growing ? "" : ", but not all went well"}.`].join("\n")}\n`;
}

const mib = (kib: number): string => `${(kib / 1024).toFixed(1)} MiB`;

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
