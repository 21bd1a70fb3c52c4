// A copy of a log as files (C2SP tlog-tiles), for whoever wants to keep what was issued out of the mesh's
// reach: checkpoint, tiles of hashes, bundles of entries, and the log's key. Made whole or not at all:
// the checkpoint is written last, and until then the copy is what it was.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { readCheckpoint } from "#/transparency/checkpoint.ts";
import type { Checkpoint } from "#/transparency/checkpoint.ts";
import type { Frontier } from "#/transparency/frontier.ts";
import { emptyFrontier } from "#/transparency/frontier.ts";
import { digestBytes, hashLeaf } from "#/transparency/hash.ts";
import type { Digest } from "#/transparency/hash.ts";
import { openNote, readVerifier } from "#/transparency/note.ts";
import {
  entriesBytes,
  entriesPath,
  hashesFromTiles,
  readEntries,
  tilePath,
  tileWidth,
  subtreeRoot,
  tilesOf,
} from "#/transparency/tile.ts";
import type { Tile } from "#/transparency/tile.ts";
import type { ReadHash } from "#/transparency/tree.ts";
import type { SignedHead } from "./answers.ts";

export class CopyFolder {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** The head that was copied last; null when nothing was. Throws NoteError. */
  head(): Checkpoint | null {
    const note = this.#text("checkpoint");
    const key = this.#text("key");
    if (note === null || key === null) return null;
    return readCheckpoint(openNote(note, [readVerifier(key.trim())]).text);
  }

  /** The right edge of what was copied. Throws when tiles are missing. */
  edge(size: number): Frontier {
    if (size === 0) return emptyFrontier;
    const read = this.reader(size);
    const levels = Math.floor(Math.log2(size)) + 1;
    const hashes = Array.from({ length: levels }, (_each, level) => {
      const subtrees = Math.floor(size / 2 ** level);
      return subtrees % 2 === 1 ? Uint8Array.from(read(level, subtrees - 1)) : undefined;
    });
    return { size, hashes };
  }

  /** Complete subtrees, by the tiles that are there. */
  reader(size: number): ReadHash {
    return hashesFromTiles(size, (tile) => this.tile(tile));
  }

  /** Of a tile that has become full since, the first hashes. Throws when it is not there. */
  tile(tile: Tile): Uint8Array {
    const part = this.#bytes(tilePath(tile));
    const bytes = part ?? this.#bytes(tilePath({ ...tile, width: tileWidth }));
    if (bytes !== null) return bytes.subarray(0, tile.width * digestBytes);
    throw new Error(`"${path.join(this.folder, tilePath(tile))}" is not there`);
  }

  hasEntries(index: number, width: number): boolean {
    const names = [entriesPath(index, width), entriesPath(index, tileWidth)];
    return names.some((name) => existsSync(path.join(this.folder, name)));
  }

  /** The entries of a bundle; null when it is not there, or no bundle. */
  entries(index: number, width: number): readonly Uint8Array[] | null {
    const part = this.#bytes(entriesPath(index, width));
    const bytes = part ?? this.#bytes(entriesPath(index, tileWidth));
    return bytes === null ? null : (readEntries(bytes)?.slice(0, width) ?? null);
  }

  /** A copy of a pruned log begins where that begins: `hashes` are those of its tiles of level 1. */
  begin(first: number, hashes: readonly Digest[]): void {
    for (const tile of tilesOf(first)) {
      if (tile.level === 0) continue;
      const from = tile.index * tileWidth;
      const bytes =
        tile.level === 1
          ? Buffer.concat(hashes.slice(from, from + tile.width))
          : this.#fold(tile, 0);
      this.#write(tilePath(tile), bytes);
    }
  }

  /** Entries from `from` on, which is where the copy ends. */
  add(from: number, entries: readonly string[]): void {
    let tile = Math.floor(from / tileWidth);
    let held = [...this.#partOf(tile, from % tileWidth)];
    for (const entry of entries) {
      held.push(Buffer.from(entry));
      if (held.length === tileWidth) {
        this.#writeBundle(tile, held);
        [tile, held] = [tile + 1, []];
      }
    }
    if (held.length > 0) this.#writeBundle(tile, held);
  }

  /** The tiles above the entries, and then the head: from now on this is what the copy holds. */
  finish(before: number, size: number, { checkpoint, key }: SignedHead): void {
    for (const tile of tilesOf(size)) {
      if (tile.level === 0) continue;
      const hashesThere = Math.floor(before / tileWidth ** tile.level) - tile.index * tileWidth;
      if (hashesThere >= tileWidth) continue;
      this.#write(tilePath(tile), this.#fold(tile, Math.max(0, hashesThere)));
    }
    this.#write("key", Buffer.from(`${key}\n`));
    this.#write("checkpoint", Buffer.from(checkpoint));
  }

  /** A tile by those below it; its first `there` hashes are on disk already. */
  #fold({ level, index, width }: Tile, there: number): Uint8Array {
    const held = there === 0 ? [] : [this.tile({ level, index, width: there })];
    const folded = Array.from({ length: width - there }, (_each, at) => {
      const below = index * tileWidth + there + at;
      return subtreeRoot(this.tile({ level: level - 1, index: below, width: tileWidth }));
    });
    return Buffer.concat([...held, ...folded]);
  }

  #partOf(tile: number, width: number): readonly Uint8Array[] {
    if (width === 0) return [];
    const found = this.entries(tile, width);
    if (found?.length === width) return found;
    throw new Error(`"${path.join(this.folder, entriesPath(tile, width))}" is not as it was`);
  }

  #writeBundle(index: number, entries: readonly Uint8Array[]): void {
    const width = entries.length;
    this.#write(entriesPath(index, width), entriesBytes(entries));
    const hashes = Buffer.concat(entries.map(hashLeaf));
    this.#write(tilePath({ level: 0, index, width }), hashes);
    // The parts of a tile that is full are of no use any more.
    if (width < tileWidth) return;
    for (const full of [entriesPath(index, width), tilePath({ level: 0, index, width })]) {
      rmSync(path.join(this.folder, `${full}.p`), { recursive: true, force: true });
    }
  }

  #write(name: string, bytes: Uint8Array): void {
    const file = path.join(this.folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, bytes);
    renameSync(`${file}.new`, file);
  }

  #bytes(name: string): Buffer | null {
    try {
      return readFileSync(path.join(this.folder, name));
    } catch {
      return null;
    }
  }

  #text(name: string): string | null {
    return this.#bytes(name)?.toString("utf8") ?? null;
  }
}
