// What runs in the ledger's thread: batches in, positions out, null ends it.
import { parentPort, workerData } from "node:worker_threads";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { LedgerEntry } from "./entry.ts";
import { LedgerStore } from "./store.ts";
import type { ThreadReply } from "./thread.ts";

const port = parentPort;
if (port !== null) {
  const store = answer(() => new LedgerStore(String(workerData)));
  if (store !== null) {
    port.postMessage({ kind: "done", written: null } satisfies ThreadReply);
    port.on("message", (entries: readonly LedgerEntry[] | null) => {
      if (entries === null) {
        store[Symbol.dispose]();
        port.close();
        return;
      }
      const written = answer(() => store.write(entries));
      if (written !== null) port.postMessage({ kind: "done", written } satisfies ThreadReply);
    });
  }
}

/** What `work` returns; null when it threw, which has then been told. */
function answer<T>(work: () => T): T | null {
  try {
    return work();
  } catch (thrown) {
    const next = thrown instanceof MeshError ? thrown.next : "";
    const reply: ThreadReply = { kind: "failed", reason: messageOf(thrown), next };
    parentPort?.postMessage(reply);
    return null;
  }
}
