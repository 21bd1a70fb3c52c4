// What a run of requests came to. Pure: times are given, counts are kept in small maps.

export interface Sample {
  /** Milliseconds since the run began, when it was due and when it ended. */
  readonly dueMs: number;
  readonly endMs: number;
  readonly bytes: number;
}

export interface Answer {
  readonly status: number;
  readonly server: string | null;
  readonly body: string;
}

export interface Summary {
  readonly url: string;
  readonly requests: number;
  /** Answers with a 2xx status. */
  readonly ok: number;
  readonly failed: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** By the "Version: x" of the bodies. */
  readonly versions: Readonly<Record<string, number>>;
  /** By the server header; a request that had none counts as "none". */
  readonly servers: Readonly<Record<string, number>>;
  /** Requests without an answer, by what stopped them. */
  readonly errors: Readonly<Record<string, number>>;
  /** Of answered requests, in milliseconds from the time they were due; null when there is none. */
  readonly latencyMs: Readonly<Record<"mean" | "p50" | "p90" | "p99" | "max", number>> | null;
  readonly durationMs: number;
  readonly requestsPerS: number;
  readonly bytes: number;
  readonly connections: number;
  /** When the first and last of each kind ended, ms since the start; null when there was none. */
  readonly firstOkMs: number | null;
  readonly lastOkMs: number | null;
  readonly firstFailedMs: number | null;
  readonly lastFailedMs: number | null;
}

/** A table keyed by what peers send stops growing here; the rest counts as "other". */
const keysMax = 64;

export class Tally {
  readonly #statuses = new Map<string, number>();
  readonly #versions = new Map<string, number>();
  readonly #servers = new Map<string, number>();
  readonly #errors = new Map<string, number>();
  readonly #latenciesMs: number[] = [];
  #bytes = 0;
  #ok = 0;
  #failed = 0;
  #firstOkMs: number | null = null;
  #lastOkMs: number | null = null;
  #firstFailedMs: number | null = null;
  #lastFailedMs: number | null = null;

  answered(sample: Sample, answer: Answer): void {
    count(this.#statuses, String(answer.status));
    count(this.#servers, answer.server ?? "none");
    const version = /Version: (\S{1,64})/.exec(answer.body)?.[1];
    if (version !== undefined) count(this.#versions, version);
    this.#latenciesMs.push(sample.endMs - sample.dueMs);
    this.#bytes += sample.bytes;
    if (answer.status >= 200 && answer.status <= 299) this.#succeed(sample.endMs);
    else this.#fail(sample.endMs);
  }

  /** `kind` names what stopped the request: an errno, "timeout", "aborted". */
  errored(endMs: number, kind: string): void {
    count(this.#errors, kind);
    this.#fail(endMs);
  }

  summary(url: string, durationMs: number, connections: number): Summary {
    const requests = this.#ok + this.#failed;
    return {
      url,
      requests,
      ok: this.#ok,
      failed: this.#failed,
      statuses: Object.fromEntries(this.#statuses),
      versions: Object.fromEntries(this.#versions),
      servers: Object.fromEntries(this.#servers),
      errors: Object.fromEntries(this.#errors),
      latencyMs: quantiles(this.#latenciesMs),
      durationMs: round(durationMs),
      requestsPerS: durationMs > 0 ? round((requests * 1000) / durationMs) : 0,
      bytes: this.#bytes,
      connections,
      firstOkMs: this.#firstOkMs,
      lastOkMs: this.#lastOkMs,
      firstFailedMs: this.#firstFailedMs,
      lastFailedMs: this.#lastFailedMs,
    };
  }

  #succeed(endMs: number): void {
    this.#ok += 1;
    this.#firstOkMs ??= round(endMs);
    this.#lastOkMs = round(endMs);
  }

  #fail(endMs: number): void {
    this.#failed += 1;
    this.#firstFailedMs ??= round(endMs);
    this.#lastFailedMs = round(endMs);
  }
}

/** For people: one line a fact. */
export function summaryText(summary: Summary): string {
  const table = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([key, value]) => `${key}: ${value}`)
      .join(", ") || "none";
  const { latencyMs } = summary;
  const latency =
    latencyMs === null
      ? "none"
      : `p50 ${latencyMs.p50}, p90 ${latencyMs.p90}, p99 ${latencyMs.p99}, max ${latencyMs.max} ms`;
  return [
    `requests     ${summary.requests} in ${summary.durationMs} ms, ${summary.requestsPerS}/s`,
    `statuses     ${table(summary.statuses)}`,
    `versions     ${table(summary.versions)}`,
    `errors       ${table(summary.errors)}`,
    `latency      ${latency}`,
    `bytes        ${summary.bytes}`,
    `connections  ${summary.connections}`,
    "",
  ].join("\n");
}

function quantiles(unsorted: readonly number[]): Summary["latencyMs"] {
  if (unsorted.length === 0) return null;
  const sorted = Float64Array.from(unsorted).sort();
  const at = (share: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!);
  const sum = sorted.reduce((total, value) => total + value, 0);
  return {
    mean: round(sum / sorted.length),
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    max: at(1),
  };
}

function count(counts: Map<string, number>, key: string): void {
  const known = counts.has(key) || counts.size < keysMax;
  const kept = known ? key : "other";
  counts.set(kept, (counts.get(kept) ?? 0) + 1);
}

/** To the microsecond. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
