// Samples the event loop and memory four times a second, on the sweep that looks over deadlines anyway, and opens
// and closes the gates of both directions. Of the loop it takes the longest turn since the last sample, by
// Node's own monitor, which runs only while there is work: its timers would keep an idle sidecar awake.
//
// Nothing of the control plane passes a gate: the streams to the controller are outgoing connections of this
// process, and /livez, /readyz and kubelet's checks come to the admin port. Readiness does not depend on
// pressure, either: a pod that leaves gives its share to others which are as loaded, and its callers
// learn of it by each answer and eject it for a while, never more than half of a service.
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Clock } from "#/lib/clock.ts";
import type { Log } from "#/lib/log.ts";
import type { Deadlines, Expiring } from "../net/deadline.ts";
import type { ProxyMetrics } from "../observe/metrics.ts";
import { Gate } from "./gate.ts";
import type { PressureReading } from "./gate.ts";
import { CALM, HIGH, SEVERE, calmState, nextPressure } from "./pressure.ts";
import type { Pressure, PressureLimits, PressureState } from "./pressure.ts";

/** How often the monitor looks at the loop. */
const resolutionMs = 20;

export interface OverloadOptions {
  readonly limits: PressureLimits;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly metrics: Pick<ProxyMetrics, "overloaded" | "eventLoopLag" | "memoryShare">;
  /** Of the memory limit, in [0, 1]. */
  readonly memoryShare: () => number;
  /** Open in both directions. */
  readonly connections: () => number;
  readonly log: Log;
}

export class Overload implements Expiring {
  deadlineMs = 1;
  readonly #reading: PressureReading = { level: CALM, cause: null, arrivals: 0 };
  readonly inbound: Gate = new Gate(this.#reading, HIGH);
  readonly outbound: Gate = new Gate(this.#reading, SEVERE);
  readonly #options: OverloadOptions;
  #state: PressureState = calmState;
  readonly #delays = monitorEventLoopDelay({ resolution: resolutionMs });
  #isMeasuring = false;

  constructor(options: OverloadOptions) {
    this.#options = options;
    options.deadlines.add(this);
    const { memoryShare: gauge } = options.metrics;
    gauge.onCollect(() => gauge.with().set(options.memoryShare()));
    this.#report(0);
  }

  /** At each sweep. */
  onDeadline(): void {
    const { clock, limits, log } = this.#options;
    this.deadlineMs = 1;
    const nowMs = clock.monotonic();
    const lagMs = this.#lagMs();
    const connections = this.#options.connections();
    // Idle sidecars do not ask: it would be most of what they do.
    const memoryShare = connections < limits.connectionsMin ? 0 : this.#options.memoryShare();
    const reading = this.#reading;
    const { arrivals, level: before } = reading;
    const sample = {
      nowMs,
      lagMs,
      memoryShare,
      arrivals,
      connections,
    };
    this.#state = nextPressure(this.#state, sample, limits);
    const { level, cause } = this.#state;
    reading.level = level;
    reading.cause = cause;
    reading.arrivals = 0;
    this.#report(lagMs);
    if (level === before) return;
    const facts = {
      refuses: refusedAt[level],
      reason: cause,
      lag_ms: Math.round(lagMs),
      memory_percent: Math.round(memoryShare * 100),
      arrivals,
    };
    if (level > before) log.warn("pressure changed", facts);
    else log.info("pressure changed", facts);
  }

  #report(lagMs: number): void {
    const { metrics } = this.#options;
    const { level } = this.#reading;
    metrics.overloaded.with("inbound").set(level >= HIGH ? 1 : 0);
    metrics.overloaded.with("outbound").set(level >= SEVERE ? 1 : 0);
    metrics.eventLoopLag.with().set(lagMs / 1000);
  }

  /** The longest turn since the last sample; 0 while there is little to do. */
  #lagMs(): number {
    const isBusy = this.#reading.arrivals >= this.#options.limits.arrivalsMin;
    // Each delay has the monitor's own interval in it.
    const lagMs = this.#isMeasuring ? Math.max(0, this.#delays.max / 1e6 - resolutionMs) : 0;
    this.#delays.reset();
    if (isBusy && !this.#isMeasuring) this.#delays.enable();
    if (!isBusy && this.#isMeasuring) this.#delays.disable();
    this.#isMeasuring = isBusy;
    return lagMs;
  }
}

const refusedAt: Readonly<Record<Pressure, string>> = {
  [CALM]: "nothing",
  [HIGH]: "inbound",
  [SEVERE]: "inbound and outbound",
};
