// The right edge of a tree that grows: one hash for each complete subtree that has no sibling yet. With it
// an entry costs two hashes on average, and the root one for each bit of the size.
import type { Digest } from "./hash.ts";
import { emptyRoot, hashNode } from "./hash.ts";

export interface Frontier {
  readonly size: number;
  /** By level; undefined where the size has no such bit. */
  readonly hashes: readonly (Digest | undefined)[];
}

export const emptyFrontier: Frontier = { size: 0, hashes: [] };

/** A subtree that became complete. */
export type OnComplete = (level: number, index: number, root: Digest) => void;

/** The edge with one more leaf; the leaf itself is told as a subtree of level 0. Pure but for `onComplete`. */
export function grow({ size, hashes }: Frontier, leaf: Digest, onComplete: OnComplete): Frontier {
  const next = [...hashes];
  let hash = leaf;
  let level = 0;
  let index = size;
  onComplete(level, index, hash);
  while (index % 2 === 1) {
    hash = hashNode(next[level]!, hash);
    next[level] = undefined;
    level += 1;
    index = (index - 1) / 2;
    onComplete(level, index, hash);
  }
  next[level] = hash;
  return { size: size + 1, hashes: next };
}

export function frontierRoot({ hashes }: Frontier): Digest {
  let root: Digest | null = null;
  for (const hash of hashes) {
    if (hash === undefined) continue;
    root = root === null ? hash : hashNode(hash, root);
  }
  return root ?? emptyRoot;
}
