// An append-only Merkle tree (RFC 9162 section 2.1, the hashing of RFC 6962): its root, and the proofs
// that an entry is in it and that one tree is the beginning of another. Pure: hashes are asked for by
// where they stand, and asked for are complete subtrees alone, which never change once they are there.
import { assert } from "#/lib/assert.ts";
import type { Digest } from "./hash.ts";
import { emptyRoot, hashNode } from "./hash.ts";

/** The root of the complete subtree over leaves [index * 2^level, (index + 1) * 2^level). */
export type ReadHash = (level: number, index: number) => Digest;

/**
 * Roots over [from, size) by `from`, of those that are no complete subtrees: what lies at the right edge of a
 * tree of one size. Filled as they are needed.
 */
export type Edges = Map<number, Digest>;

/** Leaves of one tree; positions stay exact numbers. */
export const treeSizeMax: number = 2 ** 48;

/** Of the first `size` leaves. */
export function rootOf(size: number, read: ReadHash): Digest {
  checkSize(size);
  return size === 0 ? emptyRoot : rangeRoot(0, size, read);
}

/**
 * That leaf `index` is among the first `size`: the siblings on the way to the root, lowest first
 * (RFC 9162 section 2.1.3.1). At most 48 hashes. `edges` spares whoever proves several of one size what their
 * proofs have in common; see Edges.
 */
export function proveInclusion(
  index: number,
  size: number,
  read: ReadHash,
  edges: Edges = new Map(),
): readonly Digest[] {
  checkSize(size);
  assert(Number.isSafeInteger(index) && index >= 0 && index < size, "the leaf is in the tree");
  const proof: Digest[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      proof.push(rangeRoot(middle, to, read, edges));
      to = middle;
    } else {
      proof.push(rangeRoot(from, middle, read, edges));
      from = middle;
    }
  }
  return proof.reverse();
}

/**
 * That the first `before` leaves are the beginning of the first `size` (RFC 9162 section 2.1.4.1). Empty
 * when both are the same tree, or when the earlier one is empty.
 */
export function proveConsistency(before: number, size: number, read: ReadHash): readonly Digest[] {
  checkSize(size);
  assert(Number.isSafeInteger(before) && before >= 0 && before <= size, "a tree does not shrink");
  if (before === 0 || before === size) return [];
  const proof: Digest[] = [];
  let [from, to] = [0, size];
  // Whether [from, to) is a subtree whose root the verifier has as the earlier tree's own.
  while (before !== to) {
    const middle = from + splitOf(to - from);
    if (before <= middle) {
      proof.push(rangeRoot(middle, to, read));
      to = middle;
    } else {
      proof.push(rangeRoot(from, middle, read));
      from = middle;
    }
  }
  if (from !== 0) proof.push(rangeRoot(from, to, read));
  return proof.reverse();
}

/** `from` is where a subtree of the whole tree begins; one that is not complete ends where `edges` do. */
function rangeRoot(from: number, to: number, read: ReadHash, edges: Edges = new Map()): Digest {
  const size = to - from;
  if (isPowerOfTwo(size)) {
    const level = Math.log2(size);
    return read(level, from / size);
  }
  const known = edges.get(from);
  if (known !== undefined) return known;
  const middle = from + splitOf(size);
  const root = hashNode(rangeRoot(from, middle, read, edges), rangeRoot(middle, to, read, edges));
  edges.set(from, root);
  return root;
}

/** The largest power of two that is smaller than `size`, which is 2 or more. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

function isPowerOfTwo(size: number): boolean {
  return Number.isInteger(Math.log2(size)) && 2 ** Math.log2(size) === size;
}

function checkSize(size: number): void {
  assert(Number.isSafeInteger(size) && size >= 0 && size <= treeSizeMax, "a tree has a size");
}
