// The retry budget: retries may add a fifth to live traffic and ten a second on top, so that a broken
// service is not finished off by those who try again. A token bucket: each request puts in a fifth of
// a token, time puts in the rest, and what ten seconds without traffic would earn can be saved.

export const retryShare = 0.2;
export const retriesPerSecond = 10;
export const windowSeconds = 10;
const tokensMax = retriesPerSecond * windowSeconds;

export class RetryBudget {
  #tokens = tokensMax;
  #filledMs: number;

  constructor(nowMs: number) {
    this.#filledMs = nowMs;
  }

  /** A first try was made. */
  deposit(): void {
    this.#tokens = Math.min(tokensMax, this.#tokens + retryShare);
  }

  /** True, and paid for, when another try may be made now. */
  withdraw(nowMs: number): boolean {
    const earned = ((nowMs - this.#filledMs) / 1000) * retriesPerSecond;
    this.#tokens = Math.min(tokensMax, this.#tokens + Math.max(0, earned));
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
