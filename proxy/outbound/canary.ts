// Weights by exact proportion (smooth weighted round robin): over any window of picks each of two
// backends has its share to within one pick, and a heavy one does not come in runs. No chance is
// involved, so a hundred requests already show a canary of one percent.
//
// When weights change, what each backend is owed goes on: however often they change, nobody's turn is
// forgotten. Measured in shares of a pick, what is owed stays within the same bounds whatever the
// weights, so the promise about windows holds across changes, too.

export interface Weighted<T> {
  readonly backend: T;
  readonly weight: number;
}

/** Not pure: each pick moves the balance. Backends of weight 0 are never picked. */
export class Canary<T> {
  readonly #backends: readonly T[];
  readonly #weights: readonly number[];
  /** In units of weight. */
  readonly #owed: number[];
  readonly #total: number;

  /** `previous`: whose turns go on, for the backends that are still there. */
  constructor(choices: readonly Weighted<T>[], previous: Canary<T> | null = null) {
    const real = choices.filter(({ weight }) => weight > 0);
    this.#backends = real.map(({ backend }) => backend);
    this.#weights = real.map(({ weight }) => weight);
    this.#total = this.#weights.reduce((sum, weight) => sum + weight, 0);
    // Only differences count, so what is owed to a backend that is gone is simply forgotten.
    this.#owed = this.#backends.map((backend) =>
      previous === null ? 0 : previous.#shareOwedTo(backend) * this.#total,
    );
  }

  /** The same backends with the same weights: nothing would change. */
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

  /** In shares of one pick. */
  #shareOwedTo(backend: T): number {
    const index = this.#backends.indexOf(backend);
    return index < 0 ? 0 : this.#owed[index]! / this.#total;
  }
}
