// Where the ledger's entries go: a thread in production, the store itself where that is enough.
import type { LedgerEntry } from "./entry.ts";

/** An entry's position, or why it took none: its key was certified for another pod. */
export type Outcome = number | "key_reused";

/** One call at a time. */
export interface LedgerWriter extends AsyncDisposable {
  /** Resolves when they are on disk. Rejects with CaError `ledger_failed`. */
  readonly write: (entries: readonly LedgerEntry[]) => Promise<readonly Outcome[]>;
}
