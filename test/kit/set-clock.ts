// True time, and a wall clock that can be set beside it.
import type { Clock } from "#/lib/clock.ts";
import { ManualClock } from "./manual-clock.ts";

export class SetClock implements Clock {
  readonly truth: ManualClock;
  /** By how much the wall clock was set ahead. */
  wallOffsetMs = 0;
  readonly #startMs: number;

  /** Milliseconds since the Unix epoch. */
  constructor(startMs: number) {
    this.#startMs = startMs;
    this.truth = new ManualClock(startMs);
  }

  now(): number {
    return this.truth.now() + this.wallOffsetMs;
  }

  monotonic(): number {
    return this.truth.monotonic() - this.#startMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    return this.truth.after(delayMs, callback);
  }
}
