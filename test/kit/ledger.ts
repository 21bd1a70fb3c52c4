// A ledger without a thread and without a disk: the same store, in this process's memory.
import type { LedgerEntry } from "#/ca/ledger/entry.ts";
import { Ledger } from "#/ca/ledger/ledger.ts";
import type { Written } from "#/ca/ledger/writer.ts";
import { LedgerStore } from "#/ca/ledger/store.ts";

/** So many entries that are told apart by their serials. */
export function logEntries(
  from: number,
  to: number,
  change: Partial<LedgerEntry> = {},
): readonly LedgerEntry[] {
  return Array.from({ length: Math.max(0, to - from) }, (_each, at) => {
    const serial = (from + at).toString(16);
    return {
      id: "spiffe://cluster.local/ns/a/sa/b",
      namespace: "a",
      serviceAccount: "b",
      pod: "b-1",
      podUid: "uid-1",
      node: "node-1",
      policy: "identity; token-review; default life",
      address: "10.0.0.7",
      tokenHash: "ee",
      issuedAt: 1_000,
      notBefore: 0,
      notAfter: 900_000,
      serial,
      issuerSerial: "40bb",
      keyFingerprint: serial,
      certificate: Uint8Array.of(0x30, 1),
      ...change,
    };
  });
}

/** The positions that were taken. */
export function places({ outcomes }: Written): readonly (number | "key_reused")[] {
  return outcomes.map((each) => (typeof each === "object" ? each.index : each));
}

export function openLedgerInMemory(): Ledger {
  const store = new LedgerStore(":memory:");
  const writer = {
    write: async (entries: Parameters<LedgerStore["write"]>[0]) => store.write(entries),
    prune: async (endedBefore: number) => store.prune(endedBefore),
    [Symbol.asyncDispose]: async (): Promise<void> => store[Symbol.dispose](),
  };
  return new Ledger(writer, store, () => new Promise((resolve) => setImmediate(resolve)));
}
