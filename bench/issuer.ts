// One who issues in the suite `ca`, ready to be asked.
import type { Saturated } from "./saturate.ts";

export interface IssuerContext {
  readonly projectFolder: string;
  /** For files of this run; removed at its end. */
  readonly folder: string;
  readonly profileFolder: string | null;
  readonly now: () => number;
  /** How many a ledger holds before the first round of `log-append`. */
  readonly ledgerEntries: number;
}

export interface Issuer extends AsyncDisposable {
  readonly subject: string;
  /** Issues so many certificates and tells what that took. Rejects rather than issuing fewer. */
  readonly issue: (calls: number) => Promise<Saturated>;
}
