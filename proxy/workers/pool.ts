// The workers of a sidecar: threads that carry traffic, each with an event loop, a heap and listeners of its own on
// the same ports (SO_REUSEPORT), told of certificates and policy by this thread, which alone speaks with the
// controller. One that dies is replaced; what it counted stays counted.
//
// What a worker was told and has not confirmed for `confirmMaxMs` costs it its life: so there is an end to how long
// traffic may be judged by an older policy or certificate than the one this thread has.
import type { Snapshot } from "#/api/snapshot.ts";
import { emptySnapshot } from "#/api/snapshot.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import { MeshError } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { exposeReading, mergeReadings, withoutGauges } from "#/lib/metrics-text.ts";
import type { FamilyReading } from "#/lib/metrics-text.ts";
import type { Watch } from "#/lib/watch.ts";
import type { ProxyConfig } from "../config.ts";
import type { AccessSink } from "../observe/access-sink.ts";
import type { ProxyMetrics } from "../observe/metrics.ts";
import type { CredentialMaterial } from "../tls/credentials.ts";
import { isEmptyDelta, snapshotDelta } from "./snapshot-delta.ts";
import { SidecarWorker } from "./worker.ts";
import type { WorkerEnd } from "./worker.ts";

/** From the moment a worker is told of a policy or a certificate until it holds there, or the worker is ended. */
export const confirmMaxMs = 5_000;
const lookMs = 250;
/** A worker that was told nothing for so long is asked whether it lives. */
const askAfterMs = 1_000;
const replaceBackoff = { baseMs: 100, maxMs: 10_000 } as const;
/** One that lived so long begins anew with the first delay. */
const healthyMs = 30_000;
/** A scrape does not wait longer for what a worker counted; then the last that is known of it counts. */
const readMaxMs = 1_000;
/** Beyond the drain, for logs and goodbyes. */
const endMarginMs = 2_000;

export class WorkerError extends MeshError<"worker_failed"> {}

export interface WorkerPoolOptions {
  readonly config: ProxyConfig;
  readonly material: Watch<CredentialMaterial | null>;
  readonly snapshot: Watch<Snapshot>;
  /** Of this thread; what workers count is added. */
  readonly metrics: ProxyMetrics;
  readonly accessLog: AccessSink | null;
  readonly descriptorsMax: number;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** The worker's program; default: this sidecar's. */
  readonly entry?: URL;
}

interface Slot {
  readonly index: number;
  worker: SidecarWorker | null;
  /** What `worker` was told. */
  told: Snapshot;
  toldAtMs: number;
  startedMs: number;
  failures: number;
}

const sidecarEntry = new URL("main.ts", import.meta.url);

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #slots: readonly Slot[];
  readonly #waiting: { readonly isDone: () => boolean; readonly done: () => void }[] = [];
  readonly #stopFollowing: readonly (() => void)[];
  #cancelLook: () => void = () => {};
  /** Of workers that are gone. */
  #retired: readonly FamilyReading[] = [];
  #ending = false;
  #onStart: (error: WorkerError | null) => void = () => {};
  #onGone: () => void = () => {};
  #isStarted = false;

  private constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.config.workers }, (_, index) => ({
      index,
      worker: null,
      told: emptySnapshot,
      toldAtMs: 0,
      startedMs: 0,
      failures: 0,
    }));
    this.#stopFollowing = [
      options.material.onChange((material) => this.#tellMaterial(material)),
      options.snapshot.onChange((snapshot) => this.#tellSnapshot(snapshot)),
    ];
    options.metrics.workers.onCollect(() => {
      options.metrics.workers.with().set(this.#listening().length);
    });
  }

  /** Resolves when all of them listen; throws WorkerError when one cannot. */
  static async start(options: WorkerPoolOptions): Promise<WorkerPool> {
    const pool = new WorkerPool(options);
    await new Promise<void>((resolve, reject) => {
      pool.#onStart = (error) => (error === null ? resolve() : reject(error));
      for (const slot of pool.#slots) pool.#spawn(slot);
    });
    pool.#isStarted = true;
    pool.#look();
    return pool;
  }

  /** Every worker does. */
  get isListening(): boolean {
    return this.#listening().length === this.#slots.length;
  }

  /** Calls back once everything that was set before holds in every worker, or the worker is gone. */
  settled(done: () => void): void {
    const marks = this.#slots.map(({ worker }) => ({ worker, sequence: worker?.told ?? 0 }));
    const isDone = (): boolean =>
      marks.every(({ worker, sequence }) => worker === null || worker.hasApplied(sequence));
    if (isDone()) done();
    else this.#waiting.push({ isDone, done });
  }

  /** The text of all threads' metrics. */
  async expose(): Promise<string> {
    const { clock, metrics } = this.#options;
    const stop = new AbortController();
    const late = sleep(clock, readMaxMs, stop.signal);
    const readings = await Promise.all(
      this.#workers().map((worker) =>
        Promise.race([worker.read(), late.then(() => worker.counted)]),
      ),
    );
    stop.abort();
    return exposeReading(mergeReadings([metrics.registry.read(), this.#retired, ...readings]));
  }

  /** Lets what is open end within `drainMs`; resolves when every worker is gone. */
  async end(drainMs: number): Promise<void> {
    const { clock } = this.#options;
    this.#ending = true;
    for (const stop of this.#stopFollowing) stop();
    for (const worker of this.#workers()) worker.drain(drainMs);
    const stopWaiting = clock.after(drainMs + endMarginMs, () => {
      for (const worker of this.#workers()) worker.kill("silent");
    });
    await new Promise<void>((resolve) => {
      this.#onGone = resolve;
      this.#tellGone();
    });
    stopWaiting();
    this.#cancelLook();
  }

  #tellGone(): void {
    if (this.#workers().length === 0) this.#onGone();
  }

  #workers(): readonly SidecarWorker[] {
    return this.#slots.flatMap(({ worker }) => (worker === null ? [] : [worker]));
  }

  #listening(): readonly SidecarWorker[] {
    return this.#workers().filter(({ isListening }) => isListening);
  }

  #spawn(slot: Slot): void {
    const { config, clock, descriptorsMax, material, snapshot } = this.#options;
    const { entry = sidecarEntry } = this.#options;
    slot.told = snapshot.get();
    slot.startedMs = clock.monotonic();
    slot.toldAtMs = slot.startedMs;
    slot.worker = new SidecarWorker(
      entry,
      {
        name: `proxy-${slot.index}`,
        config,
        descriptorsMax,
        material: material.get(),
        snapshot: snapshotDelta(emptySnapshot, slot.told),
      },
      {
        onListening: () => this.#started(),
        onApplied: () => this.#settle(),
        onLog: (bytes, written) => this.#write(bytes, written),
        onEnd: (end, detail) => this.#ended(slot, end, detail),
      },
      () => clock.monotonic(),
    );
  }

  #started(): void {
    if (this.isListening) this.#onStart(null);
  }

  #write(bytes: Uint8Array, written: () => void): void {
    const { accessLog } = this.#options;
    if (accessLog === null) written();
    else accessLog(bytes, () => written());
  }

  #tellMaterial(material: CredentialMaterial | null): void {
    for (const slot of this.#slots) this.#tell(slot, { material });
  }

  #tellSnapshot(snapshot: Snapshot): void {
    for (const slot of this.#slots) {
      const delta = snapshotDelta(slot.told, snapshot);
      slot.told = snapshot;
      if (!isEmptyDelta(delta)) this.#tell(slot, { snapshot: delta });
    }
  }

  #tell(slot: Slot, change: Parameters<SidecarWorker["tell"]>[0]): void {
    slot.toldAtMs = this.#options.clock.monotonic();
    slot.worker?.tell(change, slot.toldAtMs);
  }

  #settle(): void {
    for (const each of this.#waiting.splice(0)) {
      if (each.isDone()) each.done();
      else this.#waiting.push(each);
    }
  }

  /** Ends those that are silent, asks those that were told nothing for a while. */
  #look(): void {
    const { clock, log } = this.#options;
    this.#cancelLook = clock.after(lookMs, () => this.#look());
    const nowMs = clock.monotonic();
    for (const slot of this.#slots) {
      const { worker } = slot;
      if (worker === null || !worker.isListening) continue;
      if (worker.silenceMs(nowMs) >= confirmMaxMs) {
        log.error("worker is silent", { worker: worker.name, silent_ms: worker.silenceMs(nowMs) });
        worker.kill("silent");
      } else if (worker.silenceMs(nowMs) === 0 && nowMs - slot.toldAtMs >= askAfterMs) {
        slot.toldAtMs = nowMs;
        worker.ask(nowMs);
      }
    }
  }

  #ended(slot: Slot, end: WorkerEnd, detail: string): void {
    const { clock, log, metrics, random } = this.#options;
    const { worker } = slot;
    slot.worker = null;
    if (worker !== null) {
      this.#retired = mergeReadings([this.#retired, withoutGauges(worker.counted)]);
    }
    this.#settle();
    if (this.#ending) return this.#tellGone();
    if (!this.#isStarted) {
      this.#onStart(new WorkerError("worker_failed", `Cannot start a worker: ${detail || end}`));
      return;
    }
    const livedMs = clock.monotonic() - slot.startedMs;
    slot.failures = livedMs >= healthyMs ? 0 : slot.failures + 1;
    const delayMs = backoffDelayMs(replaceBackoff, Math.max(0, slot.failures - 1), random());
    metrics.workerRestarts.with(end).add();
    log.error("worker died", {
      worker: worker?.name,
      reason: end,
      detail,
      replaced_in_ms: delayMs,
    });
    clock.after(delayMs, () => {
      if (!this.#ending) this.#spawn(slot);
    });
  }
}
