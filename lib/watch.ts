// The latest value of something, and a way to hear of the next one. Snapshots travel through Watches:
// whoever reads keeps the value it started with, whoever writes swaps the whole.

export class Watch<T> {
  #value: T;
  readonly #listeners = new Set<(value: T, previous: T) => void>();

  constructor(initial: T) {
    this.#value = initial;
  }

  get(): T {
    return this.#value;
  }

  /** Swaps the value and tells every listener, in the order in which they came. */
  set(value: T): void {
    const previous = this.#value;
    this.#value = value;
    // A copy: a listener may unsubscribe, or subscribe others, while it is told.
    for (const listener of Array.from(this.#listeners)) listener(value, previous);
  }

  /** Hears of each later value (not of the present one); the returned function unsubscribes. */
  onChange(listener: (value: T, previous: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves with the first value, present or later, that passes `test`; rejects on abort. */
  until(test: (value: T) => boolean, signal?: AbortSignal): Promise<T> {
    if (test(this.#value)) return Promise.resolve(this.#value);
    return new Promise((resolve, reject) => {
      const stop = this.onChange((value) => {
        if (!test(value)) return;
        stop();
        signal?.removeEventListener("abort", aborted);
        resolve(value);
      });
      const aborted = (): void => {
        stop();
        reject(signal?.reason instanceof Error ? signal.reason : new Error("Aborted"));
      };
      if (signal?.aborted) aborted();
      else signal?.addEventListener("abort", aborted, { once: true });
    });
  }
}
