// One worker as the control plane's thread sees it: what it was told, what it has confirmed, what it counted. It ends by
// itself or is ended; either way it is gone, and whoever has it makes another.
import { Worker } from "node:worker_threads";
import type { FamilyReading } from "#/lib/metrics-text.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./message.ts";

/** Why a worker is no more. */
export type WorkerEnd = "ended" | "failed" | "crashed" | "silent";

export interface WorkerEvents {
  readonly onListening: () => void;
  readonly onApplied: () => void;
  /** Lines to write; `written` is called once. */
  readonly onLog: (bytes: Uint8Array, written: () => void) => void;
  /** Once. `detail` says what it died of. */
  readonly onEnd: (end: WorkerEnd, detail: string) => void;
}

interface Told {
  readonly sequence: number;
  readonly atMs: number;
}

export class SidecarWorker {
  readonly name: string;
  /** The last that it gave; what is counted afterwards is lost if it is killed. */
  counted: readonly FamilyReading[] = [];
  isListening = false;
  readonly #worker: Worker;
  readonly #events: WorkerEvents;
  readonly #unconfirmed: Told[] = [];
  readonly #readings = new Map<number, (families: readonly FamilyReading[]) => void>();
  #sequence = 0;
  #request = 0;
  #listeningSinceMs = Infinity;
  #end: WorkerEnd | null = null;
  #detail = "";

  constructor(entry: URL, start: WorkerStart, events: WorkerEvents, nowMs: () => number) {
    this.name = start.name;
    this.#events = events;
    this.#worker = new Worker(entry, { workerData: start, name: start.name });
    this.#worker.on("message", (message: FromWorker) => this.#said(message, nowMs()));
    this.#worker.on("error", (error: unknown) => {
      this.#end ??= "crashed";
      this.#detail ||= error instanceof Error ? error.message : String(error);
    });
    this.#worker.once("exit", (code) => {
      this.isListening = false;
      for (const done of this.#readings.values()) done(this.counted);
      this.#readings.clear();
      this.#unconfirmed.length = 0;
      this.#events.onEnd(this.#end ?? (code === 0 ? "ended" : "crashed"), this.#detail);
    });
  }

  /** The number of what was told last. */
  get told(): number {
    return this.#sequence;
  }

  /** Everything up to this number holds in the worker, or it is gone. */
  hasApplied(sequence: number): boolean {
    return (this.#unconfirmed[0]?.sequence ?? Infinity) > sequence;
  }

  tell(
    change: Omit<Extract<ToWorker, { kind: "state" }>, "kind" | "sequence">,
    nowMs: number,
  ): void {
    this.#post({ kind: "state", sequence: this.#next(nowMs), ...change });
  }

  ask(nowMs: number): void {
    this.#post({ kind: "alive", sequence: this.#next(nowMs) });
  }

  /** How long it has left something unconfirmed, ms; before it listens, nothing of it counts. */
  silenceMs(nowMs: number): number {
    const oldest = this.#unconfirmed[0];
    if (oldest === undefined || !this.isListening) return 0;
    return nowMs - Math.max(oldest.atMs, this.#listeningSinceMs);
  }

  /** What it counted until now, or the last that is known when it ends first. */
  read(): Promise<readonly FamilyReading[]> {
    return new Promise((resolve) => {
      this.#request += 1;
      this.#readings.set(this.#request, resolve);
      this.#post({ kind: "read_metrics", request: this.#request });
    });
  }

  /** Lets what is open end within `drainMs`, then ends. */
  drain(drainMs: number): void {
    this.#post({ kind: "end", drainMs });
  }

  /** At once, also in the middle of a loop; its sockets are closed by it. */
  kill(end: WorkerEnd): void {
    this.#end ??= end;
    this.isListening = false;
    void this.#worker.terminate();
  }

  #next(nowMs: number): number {
    this.#sequence += 1;
    this.#unconfirmed.push({ sequence: this.#sequence, atMs: nowMs });
    return this.#sequence;
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #said(message: FromWorker, nowMs: number): void {
    switch (message.kind) {
      case "listening":
        this.isListening = true;
        this.#listeningSinceMs = nowMs;
        return this.#events.onListening();
      case "applied":
        while ((this.#unconfirmed[0]?.sequence ?? Infinity) <= message.sequence) {
          this.#unconfirmed.shift();
        }
        return this.#events.onApplied();
      case "metrics":
        return this.#counted(message.request, message.families);
      case "log":
        return this.#events.onLog(message.bytes, () => this.#post({ kind: "logged" }));
      case "failed":
        this.#end ??= "failed";
        this.#detail = message.reason;
        return;
      default:
        message satisfies never;
    }
  }

  #counted(request: number | null, families: readonly FamilyReading[]): void {
    this.counted = families;
    if (request === null) return;
    this.#readings.get(request)?.(families);
    this.#readings.delete(request);
  }
}
