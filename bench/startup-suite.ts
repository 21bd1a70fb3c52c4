// The suite `startup`: from the start of a process until it says that it is ready. Subjects take turns,
// and each starts a few dozen times: how long a start takes scatters more than anything else here.
import { chownSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { startControlPlane } from "./control-plane.ts";
import { measureImages } from "./image-sizes.ts";
import { makeImageTree } from "./image-tree.ts";
import { loadCore } from "./layout.ts";
import { makeNetwork } from "./netns.ts";
import { readPhases } from "./phases.ts";
import { runPlaced } from "./process.ts";
import type { Reporter } from "./proxy-suite.ts";
import { buildRows, renderWork } from "./rows.ts";
import type { Row, Sample } from "./rows.ts";
import type { StartPlan, Started } from "./start-once.ts";
import { startWorks } from "./starts.ts";
import type { Start } from "./starts.ts";
import type { Bench } from "./subject.ts";

export interface StartupOptions {
  readonly works: readonly string[];
  readonly subjects: readonly string[];
  readonly rounds: number;
}

/** Starts of each subject in a round. */
export const startsPerRound = 3;
/** A control plane that has just started is still busy with itself. */
const settleMs = 3000;

/** Runs the works and subjects named. Rejects when one does not become ready. */
export async function runStartupSuite(
  bench: Bench,
  options: StartupOptions,
  reporter: Reporter,
): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const network = stack.use(makeNetwork("startup"));
  const apart = stack.use(makeNetwork("startup-apart"));
  const folder = `${bench.runFolder}/startup`;
  const plane = await startControlPlane({
    projectFolder: bench.projectFolder,
    folder: `${folder}/control-plane`,
    namespace: network.controller,
    profileFolder: null,
    now: bench.now,
    stack,
  });
  const imageTree = `${folder}/image`;
  makeImageTree(bench.projectFolder, imageTree);
  await delay(settleMs);
  const rows: Row[] = [];
  for (const [work, make] of Object.entries(startWorks)) {
    if (!options.works.includes(work)) continue;
    const all = await make({ bench, plane, network, apart, folder, imageTree });
    const field = all.filter(({ subject }) => options.subjects.includes(subject));
    const samples: Sample[] = [];
    // The first brings files into memory, as the first pod on a node does; it is not counted.
    for (const start of field) await sample(bench, start);
    for (let round = 1; round <= options.rounds; round += 1) {
      reporter.say(`${work}: round ${round} of ${options.rounds}`);
      for (let turn = 0; turn < startsPerRound; turn += 1) {
        for (const start of field) samples.push(...(await sample(bench, start)));
      }
    }
    const done = buildRows("startup", work, samples);
    reporter.print(`\n${work}\n${renderWork(done)}`);
    reporter.keep(done);
    rows.push(...done);
  }
  return [...rows, ...reportImages(reporter)];
}

function reportImages(reporter: Reporter): Row[] {
  const images = measureImages(process.env);
  if (images === null) return [];
  const rows = buildRows("startup", "image", images.samples);
  reporter.print(`\nimages in ${images.layout}\n${renderWork(rows)}`);
  reporter.keep(rows);
  return rows;
}

async function sample(bench: Bench, start: Start): Promise<Sample[]> {
  const { subject, plan, bare, phases } = start;
  start.prepare?.();
  const bareStart = bare === null ? null : await startPlaced(bench, start, bare);
  const started = await startPlaced(bench, start, plan);
  const { startedMs, answeredMs, readyMs, cpuMs, rssKib } = started;
  const nodeMs = bareStart === null ? 0 : bareStart.readyMs - bareStart.startedMs;
  const log = readFileSync(plan.logPath, "utf8");
  const parts = readPhases(log, phases, answeredMs, readyMs);
  const own: Sample[] =
    bareStart === null
      ? []
      : [
          { subject, metric: "node_ms", value: nodeMs },
          { subject, metric: "load_ms", value: answeredMs - startedMs - nodeMs },
        ];
  return [
    { subject, metric: "ready_ms", value: readyMs - startedMs },
    { subject, metric: "cpu_ms", value: cpuMs },
    { subject, metric: "rss_kib", value: rssKib },
    ...own,
    ...parts.map(({ metric, ms }) => ({ subject, metric, value: ms })),
  ];
}

async function startPlaced(bench: Bench, start: Start, plan: StartPlan): Promise<Started> {
  const { namespace, uid } = start;
  const planFile = `${plan.logPath}.plan`;
  writeFileSync(planFile, JSON.stringify(plan), { mode: 0o400 });
  chownSync(planFile, uid, uid);
  const script = `${bench.projectFolder}/bench/start-once.ts`;
  const output = await runPlaced({ namespace, core: loadCore, uid }, process.execPath, [
    script,
    planFile,
  ]);
  return JSON.parse(output) as Started;
}
