// Weights by exact proportion (smooth weighted round robin): over any window of picks each backend
// has its share to within one pick for two backends, and a heavy one does not come in runs.

export interface Weighted<T> {
  readonly backend: T;
  readonly weight: number;
}

/** Not pure: each pick moves the balance. Backends of weight 0 are never picked. */
export class Canary<T> {
  readonly #backends: readonly T[];
  readonly #weights: readonly number[];
  readonly #owed: number[];
  readonly #total: number;

  constructor(choices: readonly Weighted<T>[]) {
    const real = choices.filter(({ weight }) => weight > 0);
    this.#backends = real.map(({ backend }) => backend);
    this.#weights = real.map(({ weight }) => weight);
    this.#owed = real.map(() => 0);
    this.#total = this.#weights.reduce((sum, weight) => sum + weight, 0);
  }

  /** The same backends with the same weights: a balance in progress may go on. */
  sameAs(choices: readonly Weighted<T>[]): boolean {
    const real = choices.filter(({ weight }) => weight > 0);
    return (
      real.length === this.#backends.length &&
      real.every(({ backend, weight }, index) => {
        return backend === this.#backends[index] && weight === this.#weights[index];
      })
    );
  }

  /** null when there is nothing to pick. */
  pick(): T | null {
    const owed = this.#owed;
    const count = owed.length;
    if (count === 0) return null;
    if (count === 1) return this.#backends[0]!;
    let best = 0;
    for (let index = 0; index < count; index += 1) {
      owed[index]! += this.#weights[index]!;
      if (owed[index]! > owed[best]!) best = index;
    }
    owed[best]! -= this.#total;
    return this.#backends[best]!;
  }
}
