// A worker for tests of the pool that has it: it counts what it was told, and dies in whatever way it is told to.
import { parentPort, workerData } from "node:worker_threads";
import { Registry } from "#/lib/metrics.ts";
import { orderPrefix } from "./scripted-order.ts";
import type { FromWorker, ToWorker, WorkerStart } from "#/proxy/workers/message.ts";

const port = parentPort!;
const start = workerData as WorkerStart;
const say = (message: FromWorker): void => port.postMessage(message);
const registry = new Registry();
const told = registry.counter("told_total", "Messages");
registry.gauge("alive", "Workers").with().set(1);

if (start.config.pod.name === "cannot-listen") {
  say({ kind: "failed", reason: "Cannot listen on :: port 4000: EADDRINUSE" });
  process.exit(1);
}
port.on("message", (message: ToWorker) => {
  switch (message.kind) {
    case "state": {
      told.with().add();
      const orders = message.snapshot?.services?.set ?? [];
      for (const [name] of orders) obey(name.slice(orderPrefix.length));
      return say({ kind: "applied", sequence: message.sequence });
    }
    case "alive":
      return say({ kind: "applied", sequence: message.sequence });
    case "read_metrics":
      return say({ kind: "metrics", request: message.request, families: registry.read() });
    case "logged":
      return;
    case "end":
      return process.exit(0);
    default:
      return message satisfies never;
  }
});
say({ kind: "listening" });

function obey(order: string): void {
  const [what = "", who = ""] = order.split("@");
  if (who !== "" && who !== start.name) return;
  if (what === "throw") throw new Error("as ordered");
  if (what === "exit") process.exit(3);
  const untilMs = performance.now() + (what === "spin" ? Infinity : what === "lag" ? 1000 : 0);
  while (performance.now() < untilMs);
}
