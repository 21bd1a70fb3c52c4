// A tree and the leaves that join it together: what is proven of them needs nothing of what is stored.
import { frontierRoot, grow } from "./frontier.ts";
import type { Frontier, OnComplete } from "./frontier.ts";
import type { Digest } from "./hash.ts";
import { assert } from "#/lib/assert.ts";
import { proveInclusion } from "./tree.ts";
import type { Edges } from "./tree.ts";
import type { Tree } from "./verify.ts";

export class Growth {
  readonly #before: Frontier;
  /** Of each level, the subtrees that became complete, from the first such index on. */
  readonly #complete: { readonly first: number; readonly hashes: Digest[] }[] = [];
  #frontier: Frontier;
  /** Of the tree as it is now. */
  #edges: Edges = new Map();

  constructor(before: Frontier) {
    this.#before = before;
    this.#frontier = before;
  }

  get frontier(): Frontier {
    return this.#frontier;
  }

  append(leaf: Digest, onComplete: OnComplete): void {
    if (this.#edges.size > 0) this.#edges = new Map();
    this.#frontier = grow(this.#frontier, leaf, (level, index, hash) => {
      (this.#complete[level] ??= { first: index, hashes: [] }).hashes.push(hash);
      onComplete(level, index, hash);
    });
  }

  tree(): Tree {
    return { size: this.#frontier.size, root: frontierRoot(this.#frontier) };
  }

  /**
   * That a leaf which joined is in the tree as it is now. Beside its way are only subtrees that became
   * complete with it, and those of the edge that was there.
   */
  inclusion(index: number): readonly Digest[] {
    assert(index >= this.#before.size, "the leaf is one of those that joined");
    return proveInclusion(index, this.#frontier.size, this.#readHash, this.#edges);
  }

  readonly #readHash = (level: number, index: number): Digest => {
    const complete = this.#complete[level];
    const found = complete?.hashes[index - complete.first] ?? this.#before.hashes[level];
    assert(found !== undefined, "a sibling is new or on the edge");
    return found;
  };
}
