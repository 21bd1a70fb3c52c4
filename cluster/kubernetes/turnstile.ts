// Lets so many through at once; so many more may wait, for so long. Whoever finds no place is told so.
import type { Clock } from "#/lib/clock.ts";

export interface TurnstileLimits {
  readonly runningMax: number;
  readonly waitingMax: number;
  readonly waitMsMax: number;
}

export class Turnstile {
  readonly #limits: TurnstileLimits;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(limits: TurnstileLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Rejects with what `refusal` makes when there is no place, or none in time. */
  async run<T>(work: () => Promise<T>, refusal: (state: string) => Error): Promise<T> {
    await this.#enter(refusal);
    try {
      return await work();
    } finally {
      const next = this.#waiting.values().next().value;
      // The place is handed on, so that nobody slips in between.
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  #enter(refusal: (state: string) => Error): Promise<void> {
    const { runningMax, waitingMax, waitMsMax } = this.#limits;
    if (this.#running < runningMax) {
      this.#running += 1;
      return Promise.resolve();
    }
    if (this.#waiting.size >= waitingMax) {
      return Promise.reject(refusal(`${waitingMax} others are waiting`));
    }
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(waitMsMax, () => {
        this.#waiting.delete(enter);
        reject(refusal(`no turn in ${waitMsMax} ms`));
      });
      const enter = (): void => {
        this.#waiting.delete(enter);
        cancel();
        resolve();
      };
      this.#waiting.add(enter);
    });
  }
}
