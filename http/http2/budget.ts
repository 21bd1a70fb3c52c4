// How often a peer may do what costs us more than it costs the peer, or carries nothing: so often at once, so
// often a second, and as often again as useful work was done meanwhile.

export interface BudgetLimit {
  /** So often at once. */
  readonly burst: number;
  readonly perSecond: number;
}

export class Budget {
  readonly #limit: BudgetLimit;
  #left: number;
  #atMs: number;

  constructor(limit: BudgetLimit, nowMs: number) {
    this.#limit = limit;
    this.#left = limit.burst;
    this.#atMs = nowMs;
  }

  /** Takes one; false when none is left. */
  spend(nowMs: number): boolean {
    if (this.#left < 1 && nowMs > this.#atMs) this.#refill(nowMs);
    this.#left -= 1;
    return this.#left >= 0;
  }

  /** Work was done that excuses `count`. */
  earn(count: number): void {
    if (this.#left < this.#limit.burst) this.#left += count;
  }

  #refill(nowMs: number): void {
    const earned = ((nowMs - this.#atMs) * this.#limit.perSecond) / 1000;
    this.#left = Math.min(this.#limit.burst, this.#left + earned);
    this.#atMs = nowMs;
  }
}
