// `npm run soak`: a pair of sidecars, everything at once, for a while; does anything grow?
import { mkdirSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { constants, cpus, loadavg, release } from "node:os";
import { dirname, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { MeshError, messageOf } from "#/lib/errors.ts";
import { MemoryWatch, residentKib } from "#/test/kit/process-memory.ts";
import { StreamMesh } from "#/test/kit/stream-mesh.ts";
import type { PodName } from "#/test/kit/stream-mesh.ts";
import { cpuMicroseconds } from "../process.ts";
import { readSoakOptions, soakHelpText } from "./options.ts";
import type { SoakOptions } from "./options.ts";
import { conclude, outcomeText, progressLine } from "./report.ts";
import type { Moment } from "./report.ts";
import { sampleSidecar } from "./sidecar-sample.ts";
import type { TallyReport } from "./tally.ts";
import { rule } from "./trend.ts";

/** A short soak is looked at more often, so that there is something to judge. */
const sampleMsMin = 1000;
const sampleMsMax = 5000;
const samplesAimed = 60;
const progressMs = 30_000;
const gibibyte = 1024 ** 3;
const dayMs = 86_400_000;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function main(commandLine: readonly string[]): Promise<number> {
  const options = readSoakOptions(commandLine);
  if (options.help) {
    process.stdout.write(soakHelpText);
    return 0;
  }
  process.stdout.write(`${machineLine()}\n`);
  say("Bringing a mesh of two pods up");
  await using mesh = await StreamMesh.launch({ prefix: "signet-soak", silenceMs: dayMs });
  using stop = stopOnSignals();
  const stream = options.gib > 0 ? await passStream(mesh, options.gib, stop.signal) : null;
  const moments = options.minutes > 0 ? await soak(mesh, options, stop.signal) : [];
  const outcome = moments.length > 0 ? conclude(moments) : null;
  if (outcome !== null) process.stdout.write(outcomeText(outcome));
  write(options, { machine: machineLine(), stream, rule, ...outcome, moments });
  const failed = outcome?.good === false || stream?.good === false;
  return stop.signal.aborted ? 130 : failed ? 1 : 0;
}

/** Samples until the time is over, or `signal` aborts. */
async function soak(
  mesh: StreamMesh,
  { minutes, rate }: SoakOptions,
  signal: AbortSignal,
): Promise<Moment[]> {
  const pids = [await mesh.sidecar("client"), await mesh.sidecar("server")] as const;
  const traffic = await mesh.run("bench/soak/traffic.ts", [String(rate)]);
  const wholeMs = minutes * 60_000;
  const sampleMs = Math.min(sampleMsMax, Math.max(sampleMsMin, wholeMs / samplesAimed));
  const began = performance.now();
  const moments: Moment[] = [];
  let saidMs = 0;
  for (let elapsedMs = 0; elapsedMs < wholeMs && !signal.aborted;) {
    const waitMs = Math.min(sampleMs, wholeMs - elapsedMs);
    await delay(waitMs, null, { signal }).catch(() => {});
    elapsedMs = performance.now() - began;
    const [outbound, inbound] = [await metricsOf(mesh, "client"), await metricsOf(mesh, "server")];
    const moment = {
      atS: elapsedMs / 1000,
      outbound: sampleSidecar(pids[0], outbound),
      inbound: sampleSidecar(pids[1], inbound),
      traffic: (await traffic.next()) as TallyReport,
    };
    moments.push(moment);
    if (mesh.serverFault !== null) throw new Error(`The server ended: ${mesh.serverFault}`);
    if (elapsedMs - saidMs < progressMs && elapsedMs < wholeMs) continue;
    say(progressLine(moment, wholeMs / 1000));
    saidMs = elapsedMs;
  }
  return moments;
}

/** Empty when the sidecar does not get to answering in time, as on a machine that others have. */
function metricsOf(mesh: StreamMesh, pod: PodName): Promise<string> {
  return mesh.metrics(pod).catch(() => "");
}

interface Stream {
  readonly gib: number;
  readonly seconds: number;
  /** User and system, of both sidecars together. */
  readonly cpuSecondsPerGib: number;
  /** How far each sidecar's peak stood above what it held before. */
  readonly grownKib: readonly number[];
  /** All came, in order. */
  readonly good: boolean;
}

async function passStream(mesh: StreamMesh, gib: number, signal: AbortSignal): Promise<Stream> {
  const pids = [await mesh.sidecar("client"), await mesh.sidecar("server")];
  using watch = new MemoryWatch(pids);
  const cpuBefore = cpuMicroseconds(pids);
  const began = performance.now();
  const bytes = Math.round(gib * 1024) * 1024 * 1024;
  say(`Passing ${gib} GiB as one TCP stream`);
  const alive = setInterval(() => {
    const held = pids.map((pid) => `${(residentKib(pid) / 1024).toFixed(1)} MiB`).join(" and ");
    say(`  ${((performance.now() - began) / 1000).toFixed(0)} s; the sidecars hold ${held}`);
  }, progressMs);
  const passed = mesh.call("tcpSource", [String(bytes)]);
  passed.catch(() => {});
  const stopped = once(signal, "abort").then(() => Promise.reject(new Error("Stopped")));
  const { bytes: received, fault } = (await Promise.race([passed, stopped]).finally(() =>
    clearInterval(alive),
  )) as { bytes: number; fault: string };
  const seconds = (performance.now() - began) / 1000;
  const stream: Stream = {
    gib: received / gibibyte,
    seconds,
    cpuSecondsPerGib: (cpuMicroseconds(pids) - cpuBefore) / 1e6 / (bytes / gibibyte),
    grownKib: watch.grownKib,
    good: fault === "" && received === bytes,
  };
  const grown = stream.grownKib.map((kib) => `${(kib / 1024).toFixed(1)} MiB`).join(" and ");
  const speed = (bytes / gibibyte / seconds) * 1024;
  process.stdout.write(
    `${stream.gib.toFixed(2)} GiB in ${seconds.toFixed(1)} s (${speed.toFixed(0)} MiB/s), ` +
      `${stream.cpuSecondsPerGib.toFixed(2)} s of CPU for each GiB in both sidecars together, ` +
      `which grew by ${grown} at most${stream.good ? "" : `; NOT WHOLE: ${fault}`}\n`,
  );
  return stream;
}

function write({ file, minutes, gib, rate }: SoakOptions, result: object): void {
  const path = resolve(file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify({ minutes, gib, rate, ...result }, null, 1)}\n`);
  say(`Written: ${path}`);
}

/** The first signal ends the soak in order, with what it has by then. */
function stopOnSignals(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const onSignal = (name: NodeJS.Signals): void => {
    say(`${name} (${constants.signals[name]}): ending`);
    controller.abort();
  };
  for (const name of signals) process.on(name, onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}

function machineLine(): string {
  const cores = cpus();
  const load = loadavg()[0]!.toFixed(2);
  return `machine: ${cores.length} x ${cores[0]?.model.trim() ?? "unknown"}, Linux ${release()}, load ${load}, node ${process.versions.node}`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  const next = thrown instanceof MeshError && thrown.next !== "" ? `\n${thrown.next}` : "";
  process.stderr.write(`soak: ${messageOf(thrown)}${next}\n`);
  process.exitCode = 1;
}
