// The ledger's writer in a thread of its own: a slow disk must not hold up streams and probes. A thread
// that died is started again by the next entry; what it had under way counts as not written.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { assert } from "#/lib/assert.ts";
import { messageOf } from "#/lib/errors.ts";
import { CaError } from "../ca-error.ts";
import type { LedgerEntry } from "./entry.ts";
import { packEntries, unpackWritten } from "./packing.ts";
import type { PackedEntries, PackedWritten } from "./packing.ts";
import type { LedgerWriter, Pruned, Written } from "./writer.ts";

/** What the thread is asked for. */
export type ThreadRequest =
  | { readonly kind: "write"; readonly entries: PackedEntries }
  | { readonly kind: "prune"; readonly endedBefore: number }
  | { readonly kind: "end" };

/** What the thread says: once when it is open, then once for each request but the last. */
export type ThreadReply =
  | { readonly kind: "opened" }
  | { readonly kind: "written"; readonly written: PackedWritten }
  | { readonly kind: "pruned"; readonly pruned: Pruned }
  | { readonly kind: "failed"; readonly reason: string; readonly next: string };

interface Waiting {
  /** Who owes the answer. */
  readonly worker: Worker;
  readonly resolve: (reply: ThreadReply) => void;
  readonly reject: (error: CaError) => void;
}

export class LedgerThread implements LedgerWriter {
  readonly #file: string;
  #worker: Worker | null = null;
  #waiting: Waiting | null = null;

  /** Rejects with CaError `ledger_failed` when the file cannot be opened. */
  static async start(file: string): Promise<LedgerThread> {
    const thread = new LedgerThread(file);
    await thread.#open();
    return thread;
  }

  private constructor(file: string) {
    this.#file = file;
  }

  async write(entries: readonly LedgerEntry[]): Promise<Written> {
    const reply = await this.#ask({ kind: "write", entries: packEntries(entries) });
    assert(reply.kind === "written", "a batch is answered with what became of it");
    return unpackWritten(reply.written);
  }

  async prune(endedBefore: number): Promise<Pruned> {
    const reply = await this.#ask({ kind: "prune", endedBefore });
    assert(reply.kind === "pruned", "pruning is answered with how far it went");
    return reply.pruned;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    if (worker === null) return;
    const exited = once(worker, "exit");
    worker.postMessage({ kind: "end" } satisfies ThreadRequest);
    await exited;
  }

  async #ask(request: ThreadRequest): Promise<ThreadReply> {
    const worker = this.#worker ?? (await this.#open());
    const reply = this.#reply(worker);
    worker.postMessage(request);
    return reply;
  }

  async #open(): Promise<Worker> {
    const worker = new Worker(new URL("./thread-main.ts", import.meta.url), {
      workerData: this.#file,
      name: "ledger",
    });
    worker.on("message", (reply: ThreadReply) => this.#take(reply));
    worker.on("error", (error) => this.#died(worker, messageOf(error)));
    worker.on("exit", (code) => this.#died(worker, `exit ${code}`));
    await this.#reply(worker);
    this.#worker = worker;
    return worker;
  }

  #reply(worker: Worker): Promise<ThreadReply> {
    return new Promise((resolve, reject) => {
      this.#waiting = { worker, resolve, reject };
    });
  }

  #take(reply: ThreadReply): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (reply.kind !== "failed") waiting?.resolve(reply);
    else waiting?.reject(new CaError("ledger_failed", reply.reason, { next: reply.next }));
  }

  #died(worker: Worker, reason: string): void {
    if (this.#worker === worker) this.#worker = null;
    const waiting = this.#waiting;
    // A thread that fails is heard of twice, and by then another may have taken its place.
    if (waiting?.worker !== worker) return;
    this.#waiting = null;
    waiting.reject(new CaError("ledger_failed", `The ledger's thread ended: ${reason}`));
  }
}
