// A ledger without a thread and without a disk: the same store, in this process's memory.
import { Ledger } from "#/ca/ledger/ledger.ts";
import { LedgerStore } from "#/ca/ledger/store.ts";

export function openLedgerInMemory(): Ledger {
  const store = new LedgerStore(":memory:");
  const writer = {
    write: async (entries: Parameters<LedgerStore["write"]>[0]) => store.write(entries),
    [Symbol.asyncDispose]: async (): Promise<void> => store[Symbol.dispose](),
  };
  return new Ledger(writer, store, () => new Promise((resolve) => setImmediate(resolve)));
}
