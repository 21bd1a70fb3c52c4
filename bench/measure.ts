// One round of one subject: load, counters before and after, samples.
import { writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { MeshError } from "#/lib/errors.ts";
import { hosts, loadCore, plainUid, portsOf, serviceAddress } from "./layout.ts";
import { measuringLine } from "./load.ts";
import type { LoadPlan, LoadResult } from "./load.ts";
import { cpuMicroseconds, descendants, memoryOf, runPlaced } from "./process.ts";
import type { Placement } from "./process.ts";
import type { Metric, Sample } from "./rows.ts";
import { clientUrl, emptyLogs } from "./subject.ts";
import type { Bench, Running } from "./subject.ts";
import { requestHead } from "./works.ts";
import type { Work } from "./works.ts";
import { parseWrk, wrkParameters, wrkScript } from "./wrk.ts";

class MeasureError extends MeshError<"subject_silent"> {}

export interface RoundTimes {
  /** Unmeasured saturated load ahead of the measured one. */
  readonly warmUpS: number;
  readonly measureS: number;
}

/** How long a subject may take from its start to its first answer. */
const startDeadlineMs = 30_000;
const probePauseMs = 100;
/** Fewer answers than this share of the rate: latencies show a queue that grows, not a proxy. */
const keptUpShare = 0.95;
/** The paced load warms up its own connections at its own rate. */
const pacedWarmUpS = 1;

/** Waits until a request gets its 200 through the whole path. Throws MeasureError. */
export async function awaitAnswers(bench: Bench, work: Work, running: Running): Promise<void> {
  const probe: Work = { ...work, connections: 1, headers: [] };
  const deadline = performance.now() + startDeadlineMs;
  for (;;) {
    const dead = [...running.proxies.measured, ...running.proxies.others].find((each) =>
      each.hasEnded(),
    );
    if (dead !== undefined) throw silent(running, `it ended: ${dead.lastWords()}`);
    try {
      const output = await runWrk(bench, probe, running, 0.2);
      const { requests, errors } = parseWrk(output);
      if (requests > 0 && errors === 0) return;
    } catch (error) {
      if (performance.now() > deadline) throw silent(running, String(error));
    }
    if (performance.now() > deadline) {
      const words = running.proxies.measured.map((each) => each.lastWords()).join("; ");
      throw silent(running, `no good answer within ${startDeadlineMs} ms: ${words}`);
    }
    await delay(probePauseMs);
  }
}

function silent(running: Running, state: string): MeasureError {
  return new MeasureError("subject_silent", `Cannot measure "${running.name}": ${state}`);
}

/**
 * One round: the samples of one subject. Memory is read while the load's connections are still warm.
 * Says so when the subject could not keep up with the paced rate: its latencies are no latencies then.
 */
export async function measureRound(
  bench: Bench,
  work: Work,
  running: Running,
  times: RoundTimes,
  say: (text: string) => void,
): Promise<Sample[]> {
  const before = work.load === "saturated" ? await saturated(bench, work, running, times) : null;
  if (before === null) await runWrk(bench, work, running, times.warmUpS);
  const { result, spent } = await runLoad(bench, work, running, times);
  const keptUp = result.requests / (work.rate * times.measureS);
  if (keptUp < keptUpShare) {
    const share = `${Math.round(keptUp * 100)} % of ${work.rate}/s`;
    say(`${work.name}: ${running.name} answered only ${share}; its latencies are those of a queue`);
  }
  const facts: Facts = {
    ...(before ?? pacedFacts(running, result, spent, times)),
    p50_us: result.p50Us,
    p99_us: result.p99Us,
    errors: (before?.errors ?? 0) + result.errors,
  };
  emptyLogs(running);
  return Object.entries(facts).map(([metric, value]) => ({
    subject: running.name,
    metric: metric as Metric,
    value,
  }));
}

/** The work's own load for so long, nothing measured. */
export async function applyLoad(
  bench: Bench,
  work: Work,
  running: Running,
  seconds: number,
): Promise<void> {
  if (work.load === "saturated") await runWrk(bench, work, running, seconds);
  else await runLoad(bench, work, running, { warmUpS: 0, measureS: seconds });
}

type Facts = Partial<Record<Metric, number>>;

async function saturated(
  bench: Bench,
  work: Work,
  running: Running,
  times: RoundTimes,
): Promise<Facts> {
  await runWrk(bench, work, running, times.warmUpS);
  const pids = measuredPids(running);
  const before = cpuMicroseconds(pids);
  const result = parseWrk(await runWrk(bench, work, running, times.measureS));
  const spent = cpuMicroseconds(pids) - before;
  return {
    cpu_us: spent / result.requests,
    ...(work.carries === "tcp"
      ? { cpu_s_per_gib: spent / 1e6 / (result.bytesRead / 2 ** 30) }
      : {}),
    rps: result.requests / result.durationS,
    ...memoryFacts(running, pids),
    errors: result.errors,
  };
}

function pacedFacts(running: Running, result: LoadResult, spent: number, times: RoundTimes): Facts {
  return {
    cpu_us: spent / result.requests,
    rps: result.requests / times.measureS,
    ...memoryFacts(running, measuredPids(running)),
  };
}

function measuredPids(running: Running): number[] {
  return running.proxies.measured.flatMap((each) => descendants(each.pid));
}

/** Per sidecar: a pair has two. */
function memoryFacts(running: Running, pids: readonly number[]): Facts {
  const memory = memoryOf(pids);
  const sidecars = running.proxies.measured.length;
  return { rss_kib: memory.rssKib / sidecars, pss_kib: memory.pssKib / sidecars };
}

function clientPlacement(running: Running): Placement {
  return { namespace: running.network.client, core: loadCore, uid: plainUid };
}

async function runWrk(
  bench: Bench,
  work: Work,
  running: Running,
  durationS: number,
): Promise<string> {
  const host = hosts[work.route];
  const script = wrkScript(work, host);
  const scriptPath = script === null ? null : `${bench.runFolder}/${work.name}.lua`;
  if (script !== null) writeFileSync(scriptPath!, script);
  const url = clientUrl(work);
  // wrk takes whole seconds only.
  const parameters = wrkParameters(work, url, host, Math.max(1, Math.round(durationS)), scriptPath);
  return runPlaced(clientPlacement(running), bench.programs.wrk, parameters);
}

export async function runLoad(
  bench: Bench,
  work: Work,
  running: Running,
  times: RoundTimes,
): Promise<{ result: LoadResult; spent: number }> {
  const plan: LoadPlan = {
    address: serviceAddress[work.route],
    port: portsOf[work.carries].service,
    connections: work.connections,
    rate: work.rate,
    warmUpS: pacedWarmUpS,
    measureS: times.measureS,
    head: requestHead(work, hosts[work.route]),
    bodyBytes: work.bodyBytes,
  };
  const planPath = `${bench.runFolder}/load.json`;
  writeFileSync(planPath, JSON.stringify(plan));
  const pids = measuredPids(running);
  let before = 0;
  const program = `${bench.projectFolder}/bench/load.ts`;
  const output = await runPlaced(
    clientPlacement(running),
    process.execPath,
    [program, planPath],
    (line) => {
      if (line === measuringLine) before = cpuMicroseconds(pids);
    },
  );
  const spent = cpuMicroseconds(pids) - before;
  const last = output.trim().split("\n").at(-1) ?? "";
  return { result: JSON.parse(last) as LoadResult, spent };
}
