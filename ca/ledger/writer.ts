// Where the ledger's entries go: a thread in production, the store itself where that is enough.
import type { Tree } from "#/transparency/verify.ts";
import type { LedgerEntry } from "./entry.ts";

/** Where an entry stands, or why it took no place: its key was certified before. */
export type Outcome = Placed | "key_reused";

export interface Placed {
  readonly index: number;
  /** The way from its leaf to the root of the tree with the whole batch; see transparency/receipt.ts. */
  readonly path: Uint8Array;
}

/** What became of a batch. */
export interface Written {
  /** One for each entry, in their order. */
  readonly outcomes: readonly Outcome[];
  /** All that is on disk now. */
  readonly tree: Tree;
}

/** How far a log is pruned. */
export interface Pruned {
  /** Position of the first entry that is kept. */
  readonly first: number;
  /** False: there is more to prune, for a later call. */
  readonly isDone: boolean;
}

/** One call at a time. */
export interface LedgerWriter extends AsyncDisposable {
  /**
   * Forgets entries from the beginning on, some thousand at most, whose certificates all ended before then
   * (milliseconds since the Unix epoch). Rejects with CaError `ledger_failed`.
   */
  readonly prune: (endedBefore: number) => Promise<Pruned>;
  /** Resolves when they are on disk. Rejects with CaError `ledger_failed`. */
  readonly write: (entries: readonly LedgerEntry[]) => Promise<Written>;
}
