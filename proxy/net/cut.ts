// Ends something at a point of the wall clock: the end of the certificates that opened it. Looked at
// with every sweep, so that a clock that was set does not keep a connection past its certificates.
import type { Clock } from "#/lib/clock.ts";
import type { Deadlines, Expiring } from "./deadline.ts";

export class Cut implements Expiring {
  deadlineMs: number;
  readonly #atMs: number;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #end: () => void;

  constructor(atMs: number, clock: Clock, deadlines: Deadlines, end: () => void) {
    this.#atMs = atMs;
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#end = end;
    this.deadlineMs = 1;
    deadlines.add(this);
  }

  onDeadline(): void {
    if (this.#clock.now() >= this.#atMs) {
      this.cancel();
      this.#end();
    } else this.deadlineMs = 1;
  }

  cancel(): void {
    this.#deadlines.remove(this);
  }
}
