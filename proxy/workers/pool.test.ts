// The pool over real threads, which die in every way there is.
import { setTimeout as pause } from "node:timers/promises";
import test from "ava";
import type { ExecutionContext } from "ava";
import { emptySnapshot } from "#/api/snapshot.ts";
import type { Snapshot } from "#/api/snapshot.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import { orderPrefix } from "#/test/kit/scripted-order.ts";
import { readProxyConfig } from "../config.ts";
import { ProxyMetrics } from "../observe/metrics.ts";
import type { CredentialMaterial } from "../tls/credentials.ts";
import { WorkerError, WorkerPool, confirmMaxMs } from "./pool.ts";

const entry = new URL("../../test/kit/scripted-worker.ts", import.meta.url);
const workers = 2;

class Rig implements AsyncDisposable {
  readonly pool: WorkerPool;
  readonly #snapshot: Watch<Snapshot>;

  private constructor(pool: WorkerPool, snapshot: Watch<Snapshot>) {
    this.pool = pool;
    this.#snapshot = snapshot;
  }

  static async start(podName = "a-1"): Promise<Rig> {
    const config = readProxyConfig({
      POD_NAME: podName,
      POD_NAMESPACE: "a",
      POD_UID: "uid",
      POD_IP: "10.0.0.7",
      SERVICE_ACCOUNT: "a",
      SIGNET_TRUST_DOMAIN: "cluster.local",
      SIGNET_CONTROLLER_ADDRESS: "127.0.0.1:8443",
      SIGNET_ROOT_FINGERPRINTS: "ab".repeat(32),
      SIGNET_TRUST_BUNDLE_FILE: "/run/bundle.pem",
      SIGNET_TOKEN_FILE: "/run/token",
      SIGNET_WORKERS: String(workers),
    });
    const snapshot = new Watch<Snapshot>(emptySnapshot);
    const pool = await WorkerPool.start({
      config,
      snapshot,
      metrics: new ProxyMetrics(),
      material: new Watch<CredentialMaterial | null>(null),
      accessLog: null,
      descriptorsMax: 1024,
      clock: systemClock,
      random: () => 0.5,
      log: silentLog,
      entry,
    });
    return new Rig(pool, snapshot);
  }

  /** Tells all workers; `order` is for the one that is named behind "@", or for all. */
  tell(order: string): void {
    const services = new Map(this.#snapshot.get().services);
    services.set(`${orderPrefix}${order}`, { name: order, ports: [] } as never);
    this.#snapshot.set({ ...this.#snapshot.get(), services });
  }

  settled(): Promise<number> {
    const began = performance.now();
    return new Promise((resolve) => {
      this.pool.settled(() => resolve(performance.now() - began));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.end(0);
  }
}

async function untilExposed(t: ExecutionContext, rig: Rig, pattern: RegExp): Promise<string> {
  for (let tries = 0; tries < 300; tries += 1) {
    const text = await rig.pool.expose();
    if (pattern.test(text)) return text;
    await pause(50);
  }
  t.fail(`${pattern} does not come to pass: ${await rig.pool.expose()}`);
  return "";
}

const bothListen = /^signet_proxy_workers 2$/m;

test("WorkerPool starts when all workers listen, counts them as one, and ends them", async (t) => {
  await using rig = await Rig.start();
  t.true(rig.pool.isListening);
  rig.tell("nothing");
  rig.tell("nothing again");
  await rig.settled();
  const text = await rig.pool.expose();
  t.regex(text, bothListen);
  t.regex(text, /^told_total 4$/m);
  t.regex(text, /^alive 2$/m);
  await rig.pool.end(0);
  t.false(rig.pool.isListening);
});

test("WorkerPool does not start without every worker, and says why", async (t) => {
  const error = await t.throwsAsync(Rig.start("cannot-listen"), { instanceOf: WorkerError });
  t.regex(error.message, /Cannot listen on :: port 4000: EADDRINUSE/);
});

test("WorkerPool says that a state holds only once the slowest worker has it", async (t) => {
  await using rig = await Rig.start();
  rig.tell("lag@proxy-1");
  const tookMs = await rig.settled();
  t.true(tookMs >= 900, `${tookMs} ms`);
  t.true((await rig.settled()) < 50);
});

for (const how of ["throw", "exit"] as const) {
  test(`WorkerPool replaces a worker that dies (${how}), and the other goes on`, async (t) => {
    await using rig = await Rig.start();
    rig.tell("nothing");
    await rig.settled();
    t.regex(await rig.pool.expose(), /^told_total 2$/m);
    rig.tell(`${how}@proxy-0`);
    await rig.settled();
    t.false(rig.pool.isListening);
    const text = await untilExposed(t, rig, bothListen);
    t.regex(text, /^signet_proxy_worker_restarts_total\{reason="crashed"\} 1$/m);
    // One of the dead worker's, which it gave at the last scrape, and two of the one that lives.
    t.regex(text, /^told_total 3$/m);
    t.regex(text, /^alive 2$/m);
    rig.tell("nothing more");
    await rig.settled();
    t.regex(await rig.pool.expose(), /^told_total 5$/m);
  });
}

test("WorkerPool ends a worker that does not confirm what it was told within the bound", async (t) => {
  await using rig = await Rig.start();
  rig.tell("spin@proxy-0");
  const tookMs = await rig.settled();
  t.true(tookMs >= confirmMaxMs - 50, `${tookMs} ms`);
  t.true(tookMs <= confirmMaxMs + 1500, `${tookMs} ms`);
  const text = await untilExposed(t, rig, bothListen);
  t.regex(text, /^signet_proxy_worker_restarts_total\{reason="silent"\} 1$/m);
});

test("WorkerPool answers a scrape while a worker is silent", async (t) => {
  await using rig = await Rig.start();
  await rig.pool.expose();
  rig.tell("spin@proxy-0");
  const began = performance.now();
  t.regex(await rig.pool.expose(), /^told_total 1$/m);
  t.true(performance.now() - began < 2500);
});
