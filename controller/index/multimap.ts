// One key, several values; a key without values is not there.

export class Multimap {
  readonly #sets = new Map<string, Set<string>>();

  get(key: string): readonly string[] {
    return [...(this.#sets.get(key) ?? [])];
  }

  add(key: string, value: string): void {
    const values = this.#sets.get(key);
    if (values === undefined) this.#sets.set(key, new Set([value]));
    else values.add(value);
  }

  remove(key: string, value: string): void {
    const values = this.#sets.get(key);
    if (values?.delete(value) === true && values.size === 0) this.#sets.delete(key);
  }
}
