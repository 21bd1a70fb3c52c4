// A worker: the data plane in a thread of its own. It has no connection to the controller, no file and no
// environment; certificates, policy and where things are come by message, and each is confirmed once it holds.
import { parentPort, workerData } from "node:worker_threads";
import { emptySnapshot } from "#/api/snapshot.ts";
import type { Snapshot } from "#/api/snapshot.ts";
import { systemClock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import { createLog } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import { DataPlane } from "../data-plane.ts";
import { AccessLog } from "../observe/access-log.ts";
import { ProxyMetrics } from "../observe/metrics.ts";
import { credentialsOf } from "../tls/credentials.ts";
import type { Credentials } from "../tls/credentials.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./message.ts";
import { applyDelta } from "./snapshot-delta.ts";

const port = parentPort!;
const start = workerData as WorkerStart;
const log = createLog(start.name, start.config.logLevel);
const metrics = new ProxyMetrics();
const credentials = new Watch<Credentials | null>(credentialsOf(start.material));
const snapshot = new Watch<Snapshot>(applyDelta(emptySnapshot, start.snapshot));
let logged: () => void = () => {};
const accessLog = new AccessLog((bytes, written) => {
  logged = () => written(false);
  // A copy of its own: a view would take its whole buffer along.
  say({ kind: "log", bytes: Uint8Array.from(bytes) });
}, systemClock);

process.on("uncaughtException", (error) => leave(messageOf(error), error.stack));
process.on("unhandledRejection", (thrown) => leave(messageOf(thrown)));

const plane = await DataPlane.start({
  config: start.config,
  credentials,
  snapshot,
  metrics,
  accessLog,
  clock: systemClock,
  random: () => Math.random(),
  log,
  descriptorsMax: start.descriptorsMax,
}).catch((error: unknown) => leave(messageOf(error)));
port.on("message", (message: ToWorker) => {
  heard(message).catch((error: unknown) => leave(messageOf(error)));
});
say({ kind: "listening" });

async function heard(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case "state":
      if (message.material !== undefined) credentials.set(credentialsOf(message.material));
      if (message.snapshot !== undefined) {
        snapshot.set(applyDelta(snapshot.get(), message.snapshot));
      }
      return say({ kind: "applied", sequence: message.sequence });
    case "alive":
      return say({ kind: "applied", sequence: message.sequence });
    case "read_metrics":
      return tellMetrics(message.request);
    case "logged":
      return logged();
    case "end":
      await plane.end(message.drainMs);
      await accessLog.flush();
      tellMetrics(null);
      return process.exit(0);
    default:
      message satisfies never;
  }
}

function say(message: FromWorker): void {
  port.postMessage(message);
}

function tellMetrics(request: number | null): void {
  say({ kind: "metrics", request, families: metrics.registry.read() });
}

/** The others go on. */
function leave(reason: string, stack?: string): never {
  log.error("worker failed", { reason, stack });
  tellMetrics(null);
  say({ kind: "failed", reason });
  process.exit(1);
}
