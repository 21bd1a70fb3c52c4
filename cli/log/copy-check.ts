// Whether a copy of a log is what was signed, down to each entry: what was changed in it is named, not only
// noticed.
import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { messageOf } from "#/lib/errors.ts";
import { frontierRoot } from "#/transparency/frontier.ts";
import { digestBytes, hashLeaf, isSameDigest } from "#/transparency/hash.ts";
import { entriesPath, subtreeRoot, tilePath, tileWidth, tilesOf } from "#/transparency/tile.ts";
import type { Tile } from "#/transparency/tile.ts";
import { CopyFolder } from "./copy-folder.ts";

export interface CopyReport {
  readonly folder: string;
  /** null: no head can be read. */
  readonly origin: string | null;
  readonly size: number;
  /** Position of the first entry that the copy holds. */
  readonly first: number;
  /** What is wrong, the first `faultsMax` of it; empty: nothing. */
  readonly faults: readonly string[];
}

const faultsMax = 20;

export function checkCopy(folder: string): CopyReport {
  const copy = new CopyFolder(folder);
  const none = { folder, origin: null, size: 0, first: 0 };
  let head: ReturnType<CopyFolder["head"]>;
  try {
    head = copy.head();
  } catch (thrown) {
    return { ...none, faults: [messageOf(thrown)] };
  }
  if (head === null) return { ...none, faults: ["there is no checkpoint with its key"] };
  const { origin, size, root } = head;
  const tiles = tilesOf(size);
  const first = firstKept(copy, tiles);
  const faults: string[] = [];
  for (const fault of faultsOf(copy, tiles, first)) {
    faults.push(fault);
    if (faults.length === faultsMax) break;
  }
  if (!hasRoot(copy, size, root)) faults.push("the tiles do not lead to the root that is signed");
  return { folder, origin, size, first, faults };
}

/** A pruned log's copy lacks what was pruned before the first one. */
function firstKept(copy: CopyFolder, tiles: readonly Tile[]): number {
  const leaves = tiles.filter(({ level }) => level === 0);
  const kept = leaves.find(({ index, width }) => copy.hasEntries(index, width));
  return kept === undefined ? 0 : kept.index * tileWidth;
}

function* faultsOf(copy: CopyFolder, tiles: readonly Tile[], first: number): Generator<string> {
  for (const tile of tiles) {
    if (tile.level === 0 && (tile.index + 1) * tileWidth <= first) continue;
    let bytes: Uint8Array;
    try {
      bytes = copy.tile(tile);
    } catch (thrown) {
      yield messageOf(thrown);
      continue;
    }
    if (bytes.length !== tile.width * digestBytes) yield `${tilePath(tile)} is of another length`;
    else if (tile.level === 0) yield* entryFaults(copy, tile, bytes);
    else yield* tileFaults(copy, tile, bytes, first);
  }
}

/** Each entry by its hash. */
function* entryFaults(copy: CopyFolder, tile: Tile, bytes: Uint8Array): Generator<string> {
  const { index, width } = tile;
  const entries = copy.entries(index, width);
  if (entries?.length !== width) {
    yield `${entriesPath(index, width)} cannot be read as ${width} entries`;
    return;
  }
  for (const [at, entry] of entries.entries()) {
    if (isSameDigest(hashLeaf(entry), hashAt(bytes, at))) continue;
    yield `entry ${index * tileWidth + at} is not what was logged`;
  }
}

/** Each hash by the tile below it. */
function* tileFaults(
  copy: CopyFolder,
  { level, index, width }: Tile,
  bytes: Uint8Array,
  first: number,
): Generator<string> {
  for (let at = 0; at < width; at += 1) {
    const below = { level: level - 1, index: index * tileWidth + at, width: tileWidth };
    const isPruned = level === 1 && (below.index + 1) * tileWidth <= first;
    if (isPruned) continue;
    try {
      if (isSameDigest(subtreeRoot(copy.tile(below)), hashAt(bytes, at))) continue;
      yield `${tilePath(below)} is not what the tile above it says`;
    } catch {
      // That it cannot be read was told when it was its turn.
    }
  }
}

function hasRoot(copy: CopyFolder, size: number, root: Uint8Array): boolean {
  try {
    return isSameDigest(frontierRoot(copy.edge(size)), root);
  } catch {
    return false;
  }
}

function hashAt(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.subarray(at * digestBytes, (at + 1) * digestBytes);
}

/** The copies of logs in a folder, or the one that it is; null: the path is no folder. */
export function copiesIn(folder: string): readonly string[] | null {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return null;
  const isCopy = (each: string): boolean => existsSync(path.join(each, "checkpoint"));
  if (isCopy(folder)) return [folder];
  return readdirSync(folder)
    .map((name) => path.join(folder, name))
    .filter(isCopy)
    .toSorted();
}

/** "signet-controller-0-1a2b3c4d": what a log's folder in a copy is called. */
export function copyName(origin: string): string {
  return origin.split("/").slice(-2).join("-");
}

export function copyOf(folder: string, origin: string): CopyFolder {
  return new CopyFolder(path.join(folder, copyName(origin)));
}
