import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { emptyFrontier, frontierRoot, grow } from "./frontier.ts";
import type { Digest } from "./hash.ts";
import { emptyRoot, hashLeaf, hashNode } from "./hash.ts";
import { proveConsistency, proveInclusion, rootOf } from "./tree.ts";
import type { ReadHash } from "./tree.ts";
import { isConsistent, isIncluded } from "./verify.ts";

const hex = (digest: Uint8Array): string => Buffer.from(digest).toString("hex");

/** As RFC 9162 section 2.1.1 defines it, without any storage: what everything else is held against. */
function definition(leaves: readonly Digest[]): Digest {
  if (leaves.length === 0) return emptyRoot;
  if (leaves.length === 1) return leaves[0]!;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return hashNode(definition(leaves.slice(0, split)), definition(leaves.slice(split)));
}

interface Grown {
  readonly leaves: readonly Digest[];
  readonly read: ReadHash;
  readonly root: (size: number) => Digest;
}

function grown(size: number): Grown {
  const stored = new Map<string, Digest>();
  const leaves: Digest[] = [];
  let frontier = emptyFrontier;
  for (let index = 0; index < size; index += 1) {
    const leaf = hashLeaf(Buffer.from(`entry ${index}`));
    leaves.push(leaf);
    frontier = grow(frontier, leaf, (level, at, root) => stored.set(`${level}/${at}`, root));
  }
  const read: ReadHash = (level, index) => {
    const found = stored.get(`${level}/${index}`);
    if (found === undefined) throw new Error(`${level}/${index} is no complete subtree`);
    return found;
  };
  return { leaves, read, root: (of) => definition(leaves.slice(0, of)) };
}

// The eight entries that implementations of RFC 6962 are commonly tested with.
const known = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"];
const roots = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
];
for (const [size, expected] of roots.entries()) {
  test(`the root of the first ${size} well-known entries is as everybody has it`, (t) => {
    const leaves = known.slice(0, size).map((entry) => hashLeaf(Buffer.from(entry, "hex")));
    t.is(hex(definition(leaves)), expected);
  });
}
test("the root of all eight well-known entries is as everybody has it", (t) => {
  const all = [...known, "606162636465666768696a6b6c6d6e6f"];
  const leaves = all.map((entry) => hashLeaf(Buffer.from(entry, "hex")));
  t.is(hex(definition(leaves)), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
});

const sizeMax = 130;
const all = grown(sizeMax);

test("rootOf and frontierRoot agree with the definition at every size", (t) => {
  let frontier = emptyFrontier;
  for (let size = 0; size <= sizeMax; size += 1) {
    t.is(hex(rootOf(size, all.read)), hex(all.root(size)));
    t.is(hex(frontierRoot(frontier)), hex(all.root(size)));
    if (size < sizeMax) frontier = grow(frontier, all.leaves[size]!, () => undefined);
  }
});

test("every leaf of every tree is proven included, and nowhere else", (t) => {
  for (let size = 1; size <= 40; size += 1) {
    const tree = { size, root: all.root(size) };
    for (let index = 0; index < size; index += 1) {
      const proof = proveInclusion(index, size, all.read);
      t.true(isIncluded(all.leaves[index]!, index, tree, proof), `${index} of ${size}`);
      for (let other = 0; other < size; other += 1) {
        if (other !== index) t.false(isIncluded(all.leaves[index]!, other, tree, proof));
      }
    }
  }
});

test("every tree is proven to be the beginning of every later one", (t) => {
  for (let size = 0; size <= 40; size += 1) {
    for (let before = 0; before <= size; before += 1) {
      const proof = proveConsistency(before, size, all.read);
      const [one, other] = [
        { size: before, root: all.root(before) },
        { size, root: all.root(size) },
      ];
      t.true(isConsistent(one, other, proof), `${before} of ${size}`);
    }
  }
});

const tamper = fc.record({ at: fc.nat(47), byte: fc.nat(31), bit: fc.nat(7) });
type Tamper = typeof tamper extends fc.Arbitrary<infer T> ? T : never;

function tampered(proof: readonly Digest[], { at, byte, bit }: Tamper): readonly Digest[] | null {
  if (proof.length === 0) return null;
  const copy = proof.map((digest) => Uint8Array.from(digest));
  const hash = copy[at % copy.length]!;
  hash[byte] = hash[byte]! ^ (1 << bit);
  return copy;
}

test("a proof with a bit turned over, a hash too few or one too many proves nothing", (t) => {
  const cases = fc.record({
    size: fc.integer({ min: 1, max: sizeMax }),
    first: fc.nat(),
    second: fc.nat(),
    change: tamper,
  });
  const holds = fc.property(cases, ({ size, first, second, change }) => {
    const index = first % size;
    const before = second % (size + 1);
    const tree = { size, root: all.root(size) };
    const earlier = { size: before, root: all.root(before) };
    const leaf = all.leaves[index]!;
    const inclusion = proveInclusion(index, size, all.read);
    const consistency = proveConsistency(before, size, all.read);
    const wrong = (proof: readonly Digest[]): readonly (readonly Digest[])[] => {
      const turned = tampered(proof, change);
      const shorter = proof.length === 0 ? null : proof.slice(1);
      const longer = [...proof, emptyRoot];
      return [turned, shorter, longer].filter((each) => each !== null);
    };
    for (const proof of wrong(inclusion)) if (isIncluded(leaf, index, tree, proof)) return false;
    for (const proof of wrong(consistency)) if (isConsistent(earlier, tree, proof)) return false;
    return true;
  });
  t.notThrows(() => fc.assert(holds, fuzzOptions(t, 500)));
});

test("a tree in which one entry was changed is the beginning of nothing that was there", (t) => {
  const other = grown(sizeMax);
  const changed = [...other.leaves];
  changed[3] = hashLeaf(Buffer.from("another entry"));
  for (const size of [4, 5, 64, 100]) {
    const forged = { size, root: definition(changed.slice(0, size)) };
    const proof = proveConsistency(size, sizeMax, all.read);
    t.false(isConsistent(forged, { size: sizeMax, root: all.root(sizeMax) }, proof));
  }
});

for (const [title, answer] of [
  ["an index past the end", isIncluded(all.leaves[0]!, 5, { size: 5, root: all.root(5) }, [])],
  ["a negative index", isIncluded(all.leaves[0]!, -1, { size: 5, root: all.root(5) }, [])],
  ["no number", isIncluded(all.leaves[0]!, Number.NaN, { size: 5, root: all.root(5) }, [])],
  ["a fraction", isIncluded(all.leaves[0]!, 0.5, { size: 1, root: all.leaves[0]! }, [])],
  ["an empty tree", isIncluded(all.leaves[0]!, 0, { size: 0, root: emptyRoot }, [])],
  [
    "a tree that shrank",
    isConsistent({ size: 5, root: all.root(5) }, { size: 4, root: all.root(4) }, []),
  ],
  [
    "another empty tree",
    isConsistent({ size: 0, root: all.root(1) }, { size: 4, root: all.root(4) }, []),
  ],
  [
    "another tree of the same size",
    isConsistent({ size: 4, root: all.root(5) }, { size: 4, root: all.root(4) }, []),
  ],
] as const) {
  test(`the verifiers say no to ${title}`, (t) => t.false(answer));
}
