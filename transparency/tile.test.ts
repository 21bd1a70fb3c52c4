import test from "ava";
import { emptyFrontier, grow } from "./frontier.ts";
import type { Digest } from "./hash.ts";
import { hashLeaf } from "./hash.ts";
import {
  entriesBytes,
  entriesPath,
  hashesFromTiles,
  readEntries,
  tileBytes,
  tilePath,
  tilesOf,
} from "./tile.ts";
import { proveConsistency, proveInclusion, rootOf } from "./tree.ts";

for (const [tile, path] of [
  [{ level: 0, index: 0, width: 256 }, "tile/0/000"],
  [{ level: 0, index: 0, width: 17 }, "tile/0/000.p/17"],
  [{ level: 1, index: 999, width: 256 }, "tile/1/999"],
  [{ level: 2, index: 1000, width: 1 }, "tile/2/x001/000.p/1"],
  [{ level: 0, index: 1_234_067, width: 256 }, "tile/0/x001/x234/067"],
] as const) {
  test(`tilePath is ${path}`, (t) => t.is(tilePath(tile), path));
}

test("entriesPath stands beside the tiles", (t) => {
  t.is(entriesPath(1_234_067, 8), "tile/entries/x001/x234/067.p/8");
});

test("tilesOf names each level's tiles, the last one as full as it is", (t) => {
  t.deepEqual(tilesOf(0), []);
  t.deepEqual(tilesOf(1), [{ level: 0, index: 0, width: 1 }]);
  t.deepEqual(tilesOf(256), [
    { level: 0, index: 0, width: 256 },
    { level: 1, index: 0, width: 1 },
  ]);
  t.deepEqual(tilesOf(70_000).slice(-3), [
    { level: 1, index: 0, width: 256 },
    { level: 1, index: 1, width: 17 },
    { level: 2, index: 0, width: 1 },
  ]);
});

test("a tree read from its tiles has the same root and the same proofs", (t) => {
  const stored = new Map<string, Digest>();
  let frontier = emptyFrontier;
  for (let index = 0; index < 700; index += 1) {
    const keep = (level: number, at: number, root: Digest): void =>
      void stored.set(`${level}/${at}`, root);
    frontier = grow(frontier, hashLeaf(Buffer.from(String(index))), keep);
  }
  const read = (level: number, index: number): Digest => stored.get(`${level}/${index}`)!;
  for (const size of [1, 2, 255, 256, 257, 511, 512, 513, 700]) {
    const files = new Map(tilesOf(size).map((tile) => [tilePath(tile), tileBytes(tile, read)]));
    const fromTiles = hashesFromTiles(size, (tile) => files.get(tilePath(tile))!);
    t.deepEqual(rootOf(size, fromTiles), rootOf(size, read));
    for (const index of [0, 1, Math.floor(size / 2), size - 1].filter((at) => at < size)) {
      t.deepEqual(proveInclusion(index, size, fromTiles), proveInclusion(index, size, read));
      t.deepEqual(proveConsistency(index, size, fromTiles), proveConsistency(index, size, read));
    }
  }
});

test("entries go to a bundle and back", (t) => {
  const entries = [Buffer.from("one"), Buffer.alloc(0), Buffer.alloc(65_535, 7)];
  t.deepEqual(
    readEntries(entriesBytes(entries))?.map((each) => Buffer.from(each)),
    entries,
  );
  t.throws(() => entriesBytes([Buffer.alloc(65_536)]), { instanceOf: RangeError });
});

for (const [title, bytes] of [
  ["half a length", Buffer.of(0)],
  ["an entry that is cut off", Buffer.of(0, 2, 1)],
  ["more entries than a tile has", Buffer.alloc(257 * 2)],
] as const) {
  test(`readEntries refuses ${title}`, (t) => t.is(readEntries(bytes), null));
}
