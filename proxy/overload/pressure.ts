// Whether new work is taken, from how late the event loop is and how full memory is. Pure: a state and a
// sample in, the next state out. It rises after a while above a limit and falls after a while well below it, so
// that neither a single pause nor a single quiet moment turns it.

/** Everything is taken. */
export const CALM = 0;
/** Nothing new comes in; what the application sends out is taken, since it is mostly part of work taken before. */
export const HIGH = 1;
/** Nothing new in either direction. */
export const SEVERE = 2;

export type Pressure = typeof CALM | typeof HIGH | typeof SEVERE;
export type PressureCause = "lag" | "memory";

export interface PressureLimits {
  /** Milliseconds that a turn of the event loop may take; HIGH from here on. */
  readonly lagMs: number;
  /** The same for SEVERE. */
  readonly lagSevereMs: number;
  /** Share of the memory limit, in (0, 1); HIGH from here on. */
  readonly memoryShare: number;
  /** The same for SEVERE. */
  readonly memorySevereShare: number;
  /** Above a limit for so long before anything is refused, milliseconds. */
  readonly enterMs: number;
  /** Below `leaveLag` and `leaveMemory` of the limits for so long before it is taken again, milliseconds. */
  readonly leaveMs: number;
  /** Shares of a limit. */
  readonly leaveLag: number;
  readonly leaveMemory: number;
  /**
   * With less new work than so many requests and connections in a sample, lag is somebody else's (a starved
   * machine, long transfers), and to refuse would mend nothing.
   */
  readonly arrivalsMin: number;
  /** With fewer connections open than so many, to refuse would free no memory, and might never end. */
  readonly connectionsMin: number;
}

export const defaultPressureLimits: PressureLimits = {
  lagMs: 250,
  lagSevereMs: 1000,
  memoryShare: 0.85,
  memorySevereShare: 0.925,
  enterMs: 1000,
  leaveMs: 1000,
  leaveLag: 0.5,
  leaveMemory: 0.94,
  arrivalsMin: 16,
  connectionsMin: 64,
};

/** With HIGH where it is said to be: SEVERE is at four times the lag, and half-way to no memory at all. */
export function pressureLimits(lagMs: number, memoryShare: number): PressureLimits {
  return {
    ...defaultPressureLimits,
    lagMs,
    lagSevereMs: lagMs * 4,
    memoryShare,
    memorySevereShare: (1 + memoryShare) / 2,
  };
}

export interface PressureSample {
  /** Monotonic milliseconds. */
  readonly nowMs: number;
  /** How long what was ready had to wait for its turn, milliseconds. */
  readonly lagMs: number;
  /** Of the limit, whichever is nearest; 0 without a limit. */
  readonly memoryShare: number;
  /** Requests and connections that came since the last sample, refused ones too. */
  readonly arrivals: number;
  /** Open now. */
  readonly connections: number;
}

export interface PressureState {
  readonly level: Pressure;
  /** null while calm. */
  readonly cause: PressureCause | null;
  /** Monotonic ms since which a higher level is due, or a lower one; null: it is not. */
  readonly risingSinceMs: number | null;
  readonly fallingSinceMs: number | null;
}

export const calmState: PressureState = {
  level: CALM,
  cause: null,
  risingSinceMs: null,
  fallingSinceMs: null,
};

export function nextPressure(
  state: PressureState,
  sample: PressureSample,
  limits: PressureLimits,
): PressureState {
  const { nowMs } = sample;
  const entering = gradeOf(sample, limits, 1, 1);
  if (entering.level > state.level) {
    const risingSinceMs = state.risingSinceMs ?? nowMs;
    if (nowMs - risingSinceMs >= limits.enterMs) return entering;
    return { ...state, risingSinceMs, fallingSinceMs: null };
  }
  const staying = gradeOf(sample, limits, limits.leaveLag, limits.leaveMemory);
  if (staying.level < state.level) {
    const fallingSinceMs = state.fallingSinceMs ?? nowMs;
    if (nowMs - fallingSinceMs >= limits.leaveMs) return staying;
    return { ...state, fallingSinceMs, risingSinceMs: null };
  }
  return { ...state, risingSinceMs: null, fallingSinceMs: null };
}

/** What a sample says by itself, with limits at a share of what they are. */
function gradeOf(
  sample: PressureSample,
  limits: PressureLimits,
  lagShare: number,
  memoryShare: number,
): PressureState {
  const lag = sample.arrivals < limits.arrivalsMin ? 0 : sample.lagMs / lagShare;
  const memory = sample.connections < limits.connectionsMin ? 0 : sample.memoryShare / memoryShare;
  const byLag = levelOf(lag, limits.lagMs, limits.lagSevereMs);
  const byMemory = levelOf(memory, limits.memoryShare, limits.memorySevereShare);
  if (byLag === CALM && byMemory === CALM) return calmState;
  return byMemory >= byLag
    ? { ...calmState, level: byMemory, cause: "memory" }
    : { ...calmState, level: byLag, cause: "lag" };
}

function levelOf(value: number, high: number, severe: number): Pressure {
  if (value >= severe) return SEVERE;
  return value >= high ? HIGH : CALM;
}
