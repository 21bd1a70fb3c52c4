// What ends a command before it is done: a signal, or output that nobody takes any more (a closed pipe, a
// terminal that is gone, a full disk). Either way the command is asked to stop and to take down what it
// brought up; nothing here ends the process.
import type { Clock } from "#/lib/clock.ts";
import { MeshError } from "#/lib/errors.ts";
import { EXIT_FAILED, EXIT_OK, EXIT_STOPPED } from "./exit-codes.ts";

/** A terminal, a shell and a launcher may all pass on one and the same stop: within this it is one. */
const SAME_STOP_MS = 250;
const PATIENCE = 3;

export class OutputError extends MeshError<"output_lost"> {}

export class Stopping {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  #count = 0;
  #lastAt = Number.NEGATIVE_INFINITY;
  #lost: NodeJS.ErrnoException | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** True: the person has asked so often that nothing is to be waited for. A hang-up never insists. */
  bySignal(name: NodeJS.Signals): boolean {
    const now = this.#clock.monotonic();
    if (name !== "SIGHUP" && now - this.#lastAt >= SAME_STOP_MS) this.#count += 1;
    this.#lastAt = now;
    this.#controller.abort(new Error(`Stopped by ${name}`));
    return this.#count >= PATIENCE;
  }

  /** Every later write may fail, too: the first reason counts. */
  byOutput(error: NodeJS.ErrnoException): void {
    this.#lost ??= error;
    this.#controller.abort(new Error(`Stopped: ${error.message}`));
  }

  /** What to say of lost output; null when there is none, or a reader that has seen enough. */
  get fault(): OutputError | null {
    if (this.#lost === null || this.#lost.code === "EPIPE") return null;
    return new OutputError("output_lost", `Cannot write the output: ${this.#lost.message}`, {
      cause: this.#lost,
      next: "See that what it goes to takes it, then run this again",
    });
  }

  /** The command's own exit code, unless output was lost: then what it did is not known to anybody. */
  exitCode(code: number): number {
    if (this.#lost === null) return code;
    if (this.fault === null) return code === EXIT_STOPPED ? EXIT_OK : code;
    return code === EXIT_OK || code === EXIT_STOPPED ? EXIT_FAILED : code;
  }
}
