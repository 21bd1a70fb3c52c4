// Ends something at a point of the wall clock: the end of the certificates that opened it. Looked at
// with every sweep, by the wall clock and by the monotonic one: whichever says so first ends it, so that
// a clock that was set, ahead or back, does not keep a connection past its certificates.
import type { Clock } from "#/lib/clock.ts";
import type { Deadlines, Expiring } from "./deadline.ts";

export class Cut implements Expiring {
  deadlineMs: number;
  readonly #atMs: number;
  readonly #atMonotonicMs: number;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #end: () => void;

  constructor(atMs: number, clock: Clock, deadlines: Deadlines, end: () => void) {
    this.#atMs = atMs;
    this.#atMonotonicMs = clock.monotonic() + atMs - clock.now();
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#end = end;
    this.deadlineMs = 1;
    deadlines.add(this);
  }

  onDeadline(): void {
    if (this.#clock.now() >= this.#atMs || this.#clock.monotonic() >= this.#atMonotonicMs) {
      this.cancel();
      this.#end();
    } else this.deadlineMs = 1;
  }

  cancel(): void {
    this.#deadlines.remove(this);
  }
}
