// What the soak's traffic came to so far, by kind.

export const kinds = ["kept", "churned", "slow", "websocket", "tcp_kept", "tcp_churned"] as const;
export type Kind = (typeof kinds)[number];

/** Since the last report. */
export interface KindReport {
  readonly done: number;
  readonly failed: number;
  /** Connections that were meant to be kept and had to be made anew: certificates end. */
  readonly reopened: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export type TallyReport = Readonly<Record<Kind, KindReport>> & {
  /** What failed first, for the reader. */
  readonly firstFault: string;
};

/** Latencies kept for a report; more are not. */
const latenciesMax = 100_000;

export class Tally {
  #firstFault = "";
  readonly #counts = new Map<
    Kind,
    { done: number; failed: number; reopened: number; ms: number[] }
  >();

  constructor() {
    for (const kind of kinds) this.#counts.set(kind, { done: 0, failed: 0, reopened: 0, ms: [] });
  }

  done(kind: Kind, ms: number): void {
    const counts = this.#counts.get(kind)!;
    counts.done += 1;
    if (counts.ms.length < latenciesMax) counts.ms.push(ms);
  }

  failed(kind: Kind, why: string): void {
    this.#counts.get(kind)!.failed += 1;
    if (this.#firstFault === "") this.#firstFault = `${kind}: ${why}`;
  }

  reopened(kind: Kind): void {
    this.#counts.get(kind)!.reopened += 1;
  }

  /** And begins anew. */
  report(percentile: (sorted: ArrayLike<number>, share: number) => number): TallyReport {
    const entries = kinds.map((kind) => {
      const { ms, ...counts } = this.#counts.get(kind)!;
      this.#counts.set(kind, { done: 0, failed: 0, reopened: 0, ms: [] });
      const sorted = Float64Array.from(ms).sort();
      const at = (share: number): number => Number(percentile(sorted, share).toFixed(2));
      return [kind, { ...counts, p50Ms: at(0.5), p99Ms: at(0.99) }] as const;
    });
    const byKind = Object.fromEntries(entries) as Record<Kind, KindReport>;
    return { ...byKind, firstFault: this.#firstFault };
  }
}
