// One coarse timer for all connections: each carries the monotonic millisecond at which it has
// waited too long, and a sweep looks them over. Nothing is allocated or armed per request.
import type { Clock } from "#/lib/clock.ts";

const SWEEP_MS = 250;

/** `deadlineMs` is monotonic; 0 or Infinity is "no deadline". `onDeadline` must end or re-arm. */
export interface Expiring {
  deadlineMs: number;
  onDeadline(): void;
}

export class Deadlines {
  readonly #members = new Set<Expiring>();
  readonly #clock: Clock;
  #cancel: (() => void) | null = null;
  /** The monotonic time of the last sweep: cheap "now" for arming deadlines, 250 ms coarse. */
  nowMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.nowMs = clock.monotonic();
    this.#arm();
  }

  add(member: Expiring): void {
    this.#members.add(member);
  }

  remove(member: Expiring): void {
    this.#members.delete(member);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #arm(): void {
    this.#cancel = this.#clock.after(SWEEP_MS, () => {
      this.#arm();
      this.#sweep();
    });
  }

  #sweep(): void {
    const now = this.#clock.monotonic();
    this.nowMs = now;
    for (const member of this.#members) {
      if (member.deadlineMs !== 0 && member.deadlineMs <= now) {
        member.deadlineMs = 0;
        member.onDeadline();
      }
    }
  }
}
