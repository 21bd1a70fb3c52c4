// The Merkle tree of a ledger, beside its entries in the same file: the hash of each entry, and of each
// complete subtree over 256, 65,536, ... of them. What lies between is folded when it is asked for.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { assert } from "#/lib/assert.ts";
import type { Digest } from "#/transparency/hash.ts";
import { digestBytes } from "#/transparency/hash.ts";
import { foldPairs } from "#/transparency/tile.ts";
import type { Frontier, OnComplete } from "#/transparency/frontier.ts";

/** Every how many levels a hash is kept: tiles of 2^8. */
const levelsKept = 8;

/** Reads. */
export class Hashes {
  readonly #range: StatementSync;
  readonly #last: StatementSync;

  constructor(database: DatabaseSync) {
    this.#range = database.prepare(
      "SELECT hash FROM hashes WHERE level = ? AND position >= ? AND position < ? ORDER BY position",
    );
    this.#last = database.prepare("SELECT max(position) AS last FROM hashes WHERE level = 0");
  }

  /** Entries that are in the tree. */
  size(): number {
    const last = this.#last.get()?.["last"];
    return typeof last === "number" ? last + 1 : 0;
  }

  /** Of a complete subtree. Throws when the file does not have it: somebody took it away. */
  read(level: number, index: number): Digest {
    const kept = level - (level % levelsKept);
    const width = 2 ** (level - kept);
    const rows = this.#range.all(kept, index * width, (index + 1) * width);
    if (rows.length !== width) throw new Error(`the log lacks hashes of level ${kept}`);
    const hashes = rows.map((row) => row["hash"] as Digest);
    assert(
      hashes.every(({ length }) => length === digestBytes),
      "hashes are SHA-256",
    );
    return foldPairs(hashes);
  }

  /** Those that are kept at a level, which is a multiple of eight: fewer than asked for at the end. */
  row(level: number, from: number, width: number): readonly Digest[] {
    return this.#range.all(level, from, from + width).map((each) => each["hash"] as Digest);
  }

  /** The right edge of the tree over the first `size` entries. */
  frontier(size: number): Frontier {
    const hashes: (Digest | undefined)[] = [];
    let left = size;
    for (let level = 0; left > 0; level += 1) {
      const isOdd = left % 2 === 1;
      hashes.push(isOdd ? this.read(level, left - 1) : undefined);
      left = Math.floor(left / 2);
    }
    return { size, hashes };
  }
}

/** What keeps the hashes of a tree that grows, within whatever transaction is open. */
export function keepHashes(database: DatabaseSync): OnComplete {
  const insert = database.prepare("INSERT INTO hashes VALUES (?, ?, ?)");
  return (level, index, hash) => {
    if (level % levelsKept === 0) insert.run(level, index, hash);
  };
}
