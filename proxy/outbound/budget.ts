// The retry budget: retries may add a fifth to live traffic and ten a second on top, so that a broken
// service is not finished off by those who try again. A token bucket: each request puts in a fifth of
// a token, time puts in the rest, and no more is saved than the last ten seconds earned.

export const retryShare = 0.2;
export const retriesPerSecond = 10;
export const windowSeconds = 10;
const windowMs = windowSeconds * 1000;
const savedMin = retriesPerSecond * windowSeconds;

export class RetryBudget {
  #tokens = savedMin;
  #filledMs: number;
  /** Requests since the bucket was last filled. */
  #requests = 0;
  /** Requests of the last ten seconds, fading. */
  #recent = 0;

  /** `nowMs`: monotonic, here as below. */
  constructor(nowMs: number) {
    this.#filledMs = nowMs;
  }

  /** A first try was made. Costs an addition: what it is worth is reckoned when it is asked for. */
  deposit(): void {
    this.#requests += 1;
  }

  /** True, and paid for, when another try may be made now. */
  withdraw(nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #fill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#filledMs);
    const requests = this.#requests;
    this.#filledMs = nowMs;
    this.#requests = 0;
    // Those of a longer time are taken to have come evenly.
    const fresh = elapsedMs > windowMs ? (requests * windowMs) / elapsedMs : requests;
    this.#recent = this.#recent * Math.max(0, 1 - elapsedMs / windowMs) + fresh;
    const earned = requests * retryShare + (elapsedMs / 1000) * retriesPerSecond;
    const savedMax = savedMin + this.#recent * retryShare;
    this.#tokens = Math.min(savedMax, this.#tokens + earned);
  }
}
