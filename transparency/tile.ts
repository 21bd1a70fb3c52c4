// The log as files (C2SP tlog-tiles): hashes in tiles of 256, entries in bundles of 256. A tile at level L
// has the roots of complete subtrees over 256^L leaves each; one that is not full yet says how full it is.
// Pure: names and bytes.
import { digestBytes } from "./hash.ts";
import type { Digest } from "./hash.ts";
import type { ReadHash } from "./tree.ts";
import { hashNode } from "./hash.ts";

/** Hashes in a full tile. */
export const tileWidth = 256;
/** Levels of the tree that a tile spans. */
export const tileHeight = 8;
const entryBytesMax = 65_535;

export interface Tile {
  readonly level: number;
  readonly index: number;
  /** 1 to 256 hashes. */
  readonly width: number;
}

/** "tile/0/x001/234" and, while it is not full, ".p/17". */
export function tilePath({ level, index, width }: Tile): string {
  return `tile/${level}/${pathOf(index, width)}`;
}

/** The bundle with the entries whose hashes the tile of level 0 has. */
export function entriesPath(index: number, width: number): string {
  return `tile/entries/${pathOf(index, width)}`;
}

/** What a path names; null when it names nothing. A bundle of entries is at level 0. */
export function readTilePath(path: string): (Tile & { readonly isEntries: boolean }) | null {
  const found = /^tile\/(entries|[0-9]|[1-5]\d|6[0-3])\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/.exec(
    path,
  );
  const [, kind = "", digits = "", part = String(tileWidth)] = found ?? [];
  const isEntries = kind === "entries";
  const level = isEntries ? 0 : Number(kind);
  const index = Number(digits.replaceAll(/[x/]/g, ""));
  const tile = { level, index, width: Number(part) };
  // One name for each: no zeros that do not count, and a full tile is not a part.
  const isThatName = path === (isEntries ? entriesPath(index, tile.width) : tilePath(tile));
  const isWidth = tile.width >= 1 && tile.width <= tileWidth;
  return found !== null && isThatName && isWidth ? { ...tile, isEntries } : null;
}

/** Groups of three digits, each but the last with an "x" before it. */
function pathOf(index: number, width: number): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, "0");
  const groups = padded.match(/.{3}/g) ?? [];
  const last = groups.pop() ?? "";
  const path = [...groups.map((group) => `x${group}`), last].join("/");
  return width === tileWidth ? path : `${path}.p/${width}`;
}

/** All tiles of a tree of `size` leaves, lowest level first. */
export function tilesOf(size: number): readonly Tile[] {
  const tiles: Tile[] = [];
  for (let level = 0, hashes = size; hashes > 0; level += 1) {
    const full = Math.floor(hashes / tileWidth);
    for (let index = 0; index < full; index += 1) tiles.push({ level, index, width: tileWidth });
    const left = hashes % tileWidth;
    if (left > 0) tiles.push({ level, index: full, width: left });
    hashes = full;
  }
  return tiles;
}

export function tileBytes({ level, index, width }: Tile, read: ReadHash): Uint8Array {
  const first = index * tileWidth;
  const hashes = Array.from({ length: width }, (_each, at) => read(level * tileHeight, first + at));
  return Buffer.concat(hashes);
}

/** Complete subtrees of a tree, from its tiles; `load` gives a tile's bytes. */
export function hashesFromTiles(size: number, load: (tile: Tile) => Uint8Array): ReadHash {
  const widthOf = (level: number, index: number): number => {
    const hashes = Math.floor(size / tileWidth ** level);
    return Math.min(tileWidth, hashes - index * tileWidth);
  };
  return (level, index) => {
    const tileLevel = Math.floor(level / tileHeight);
    const height = level % tileHeight;
    const first = index * 2 ** height;
    const tile = Math.floor(first / tileWidth);
    const width = widthOf(tileLevel, tile);
    const bytes = load({ level: tileLevel, index: tile, width });
    const from = first - tile * tileWidth;
    return subtreeRoot(bytes.subarray(from * digestBytes, (from + 2 ** height) * digestBytes));
  };
}

/** The root over hashes one after the other, whose number is a power of two. */
export function subtreeRoot(bytes: Uint8Array): Digest {
  return foldPairs(
    Array.from({ length: bytes.length / digestBytes }, (_each, at) =>
      bytes.subarray(at * digestBytes, (at + 1) * digestBytes),
    ),
  );
}

/** The root over complete subtrees of one level, whose number is a power of two. */
export function foldPairs(subtrees: readonly Digest[]): Digest {
  let hashes = subtrees;
  while (hashes.length > 1) {
    hashes = Array.from({ length: hashes.length / 2 }, (_each, at) =>
      hashNode(hashes[2 * at]!, hashes[2 * at + 1]!),
    );
  }
  return hashes[0]!;
}

/** Entries one after the other, each behind its length in two bytes. */
export function entriesBytes(entries: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    entries.flatMap((entry) => {
      if (entry.length > entryBytesMax) throw new RangeError("an entry has at most 65,535 bytes");
      return [Buffer.of(Math.floor(entry.length / 256), entry.length % 256), entry];
    }),
  );
}

/** null: these bytes are no bundle. */
export function readEntries(bytes: Uint8Array): readonly Uint8Array[] | null {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 2 > bytes.length || entries.length === tileWidth) return null;
    const end = at + 2 + bytes[at]! * 256 + bytes[at + 1]!;
    if (end > bytes.length) return null;
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries;
}
