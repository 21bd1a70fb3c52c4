// What runs in the ledger's thread: one request at a time in, its answer out.
import { parentPort, workerData } from "node:worker_threads";
import { assertNever } from "#/lib/assert.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import { packWritten, unpackEntries } from "./packing.ts";
import { LedgerStore } from "./store.ts";
import type { ThreadReply, ThreadRequest } from "./thread.ts";

const port = parentPort;
if (port !== null) {
  const tell = (reply: ThreadReply): void => port.postMessage(reply);
  try {
    const store = new LedgerStore(String(workerData));
    port.on("message", (request: ThreadRequest) => {
      if (request.kind !== "end") return tell(answer(store, request));
      store[Symbol.dispose]();
      port.close();
    });
    tell({ kind: "opened" });
  } catch (thrown) {
    tell(failure(thrown));
  }
}

function answer(store: LedgerStore, request: Exclude<ThreadRequest, { kind: "end" }>): ThreadReply {
  try {
    switch (request.kind) {
      case "write":
        return {
          kind: "written",
          written: packWritten(store.write(unpackEntries(request.entries))),
        };
      case "prune":
        return { kind: "pruned", pruned: store.prune(request.endedBefore) };
      default:
        return assertNever(request);
    }
  } catch (thrown) {
    return failure(thrown);
  }
}

function failure(thrown: unknown): ThreadReply {
  const next = thrown instanceof MeshError ? thrown.next : "";
  return { kind: "failed", reason: messageOf(thrown), next };
}
