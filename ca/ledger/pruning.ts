// Forgets, now and then, what ended long ago. Hashes of what is forgotten stay: the log is the same, and all
// that is kept can be proven as before.
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import type { Ledger } from "./ledger.ts";

const everyMs = 600_000;

export interface PruningOptions {
  readonly ledger: Pick<Ledger, "prune" | "first">;
  /** Milliseconds from the end of a certificate for which its entry is kept. */
  readonly keepMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Until it is disposed of. */
export function keepPruned({ ledger, keepMs, clock, log }: PruningOptions): Disposable {
  let cancel = (): void => {};
  let isStopped = false;
  const prune = async (): Promise<void> => {
    const before = ledger.first();
    const first = await ledger.prune(clock.now() - keepMs);
    if (first > before) log.info("the log was pruned", { entries: first - before, first });
  };
  const look = (): void => {
    prune()
      .catch((error: unknown) => log.warn("the log was not pruned", { reason: messageOf(error) }))
      .finally(() => {
        if (!isStopped) cancel = clock.after(everyMs, look);
      });
  };
  look();
  return {
    [Symbol.dispose]() {
      isStopped = true;
      cancel();
    },
  };
}
