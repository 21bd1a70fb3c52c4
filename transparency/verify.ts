// Proofs held against roots (RFC 9162 sections 2.1.3.2 and 2.1.4.2). What comes in is somebody else's word:
// every answer is yes or no, nothing throws, and the work is bounded by the length of a proof.
import type { Digest } from "./hash.ts";
import { emptyRoot, hashNode, isSameDigest } from "./hash.ts";
import { treeSizeMax } from "./tree.ts";

/** More siblings than any tree has. */
const proofHashesMax = 48;

export interface Tree {
  readonly size: number;
  readonly root: Digest;
}

/** Whether the leaf is at `index` of the tree. */
export function isIncluded(
  leaf: Digest,
  index: number,
  tree: Tree,
  proof: readonly Digest[],
): boolean {
  if (!isSize(tree.size) || !isSize(index) || index >= tree.size) return false;
  if (proof.length > proofHashesMax) return false;
  let [node, last] = [index, tree.size - 1];
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      hash = hashNode(sibling, hash);
      // On the right edge a node may have no sibling for some levels.
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      hash = hashNode(hash, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && isSameDigest(hash, tree.root);
}

/** Whether `before` is the beginning of `after`: nothing of it was changed or left out. */
export function isConsistent(before: Tree, after: Tree, proof: readonly Digest[]): boolean {
  if (!isSize(before.size) || !isSize(after.size) || before.size > after.size) return false;
  if (proof.length > proofHashesMax) return false;
  if (before.size === 0) return proof.length === 0 && isSameDigest(before.root, emptyRoot);
  if (before.size === after.size) {
    return proof.length === 0 && isSameDigest(before.root, after.root);
  }
  let [node, last] = [before.size - 1, after.size - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  // The earlier tree is a complete subtree of the later one exactly when nothing is left of it.
  const [first, ...rest] = node === 0 ? [before.root, ...proof] : proof;
  if (first === undefined) return false;
  let [old, now] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      old = hashNode(sibling, old);
      now = hashNode(sibling, now);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      now = hashNode(now, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && isSameDigest(old, before.root) && isSameDigest(now, after.root);
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= treeSizeMax;
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function half(value: number): number {
  return Math.floor(value / 2);
}
