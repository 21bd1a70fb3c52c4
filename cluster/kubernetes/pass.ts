// Work that makes the cluster as it should be: one pass at a time, soon after something changed, again
// after a while in any case, and with backoff after a pass that failed.
import type { Backoff } from "#/lib/backoff.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import type { KubernetesParts } from "./reflector.ts";

export interface PassOptions extends Pick<KubernetesParts, "clock" | "random"> {
  /** For the log: what could not be done. */
  readonly name: string;
  readonly log: Log;
  /** Makes everything as it should be; what it throws is told and tried again. */
  readonly run: () => Promise<void>;
}

/** Lets changes that come together be one pass. */
const gatherMs = 50;
const againMs = 30_000;
const backoff: Backoff = { baseMs: 500, maxMs: 30_000 };

export class Pass implements AsyncDisposable {
  readonly #options: PassOptions;
  #cancel: () => void = () => {};
  #dueAt = Infinity;
  #running: Promise<void> | null = null;
  #isDirty = false;
  #isStopped = false;
  #failures = 0;

  constructor(options: PassOptions) {
    this.#options = options;
    this.#schedule(againMs);
  }

  /** Something changed. */
  request(): void {
    if (this.#running !== null) this.#isDirty = true;
    else if (this.#failures === 0) this.#schedule(gatherMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#running;
  }

  #schedule(delayMs: number): void {
    const { clock } = this.#options;
    const dueAt = clock.monotonic() + delayMs;
    if (this.#isStopped || dueAt >= this.#dueAt) return;
    this.#cancel();
    this.#dueAt = dueAt;
    this.#cancel = clock.after(delayMs, () => {
      this.#dueAt = Infinity;
      this.#running = this.#run();
    });
  }

  async #run(): Promise<void> {
    const { name, log, random } = this.#options;
    this.#isDirty = false;
    let delayMs = againMs;
    try {
      await this.#options.run();
      this.#failures = 0;
      if (this.#isDirty) delayMs = gatherMs;
    } catch (thrown) {
      log.warn(`${name} failed`, { reason: messageOf(thrown) });
      delayMs = backoffDelayMs(backoff, this.#failures, random());
      this.#failures += 1;
    }
    this.#running = null;
    this.#schedule(delayMs);
  }
}
