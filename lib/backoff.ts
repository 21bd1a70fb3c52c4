// Pure delays: exponential, capped, with full jitter so that a crowd does not retry in step.

export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Milliseconds to wait before attempt number `attempt` (0 is the first repeat). `random` is in [0, 1). */
export function backoffDelayMs(backoff: Backoff, attempt: number, random: number): number {
  const ceiling = Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
