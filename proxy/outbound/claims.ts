// Who an address belongs to, when several may say so. Nearly always it is one, and then it costs one
// entry of a map; the others are kept so that the next one follows when the first is gone.

export class Claims<T> {
  readonly #claims = new Map<string, T | T[]>();
  readonly #order: (one: T, other: T) => number;

  /** `order`: negative when the first of two goes before the other. Claims must not be arrays. */
  constructor(order: (one: T, other: T) => number) {
    this.#order = order;
  }

  /** The claim that counts. */
  get(key: string): T | undefined {
    const there = this.#claims.get(key);
    return Array.isArray(there) ? there[0] : there;
  }

  add(key: string, claim: T): void {
    const there = this.#claims.get(key);
    if (there === undefined) this.#claims.set(key, claim);
    else {
      const all = Array.isArray(there) ? [...there, claim] : [there, claim];
      this.#claims.set(key, all.toSorted(this.#order));
    }
  }

  remove(key: string, claim: T): void {
    const there = this.#claims.get(key);
    if (there === claim) this.#claims.delete(key);
    if (!Array.isArray(there)) return;
    const [first, ...others] = there.filter((each) => each !== claim);
    this.#claims.set(key, others.length === 0 ? first! : [first!, ...others]);
  }
}
