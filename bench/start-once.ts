// Starts a process, waits until it says that it is ready, ends it, and prints what that took. A process
// of its own, beside the subject in its namespace, so that it can ask. node start-once.ts PLAN_FILE
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "#/lib/errors.ts";
import { cpuMicroseconds } from "./process.ts";

export interface StartPlan {
  readonly command: string;
  readonly parameters: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Working directory. */
  readonly folder: string;
  /** The one core that the subject may run on. */
  readonly core: number;
  /** Answers 200 when ready; null: ready means ended with 0. */
  readonly ready: { readonly port: number; readonly path: string } | null;
  /** Takes standard output and standard error. */
  readonly logPath: string;
}

/** What one start took; times are wall clock, milliseconds. */
export interface Started {
  readonly startedMs: number;
  /** The first answer to whether it is ready, yes or no: modules are loaded, ports are open. */
  readonly answeredMs: number;
  readonly readyMs: number;
  /** CPU of all threads until ready. */
  readonly cpuMs: number;
  /** The most that was resident until ready. */
  readonly rssKib: number;
}

const pollMs = 3;
const deadlineMs = 20_000;
const stopGraceMs = 3_000;

if (import.meta.main) {
  const plan = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as StartPlan;
  try {
    process.stdout.write(`${JSON.stringify(await startOnce(plan))}\n`);
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}

/** Throws when it ends before it is ready, or takes longer than any start may. */
async function startOnce(plan: StartPlan): Promise<Started> {
  const log = openSync(plan.logPath, "w");
  const startedMs = wallMs();
  // One pid: taskset becomes the subject.
  const pinned = ["taskset", "--cpu-list", String(plan.core), plan.command];
  const child = spawn(pinned[0]!, [...pinned.slice(1), ...plan.parameters], {
    cwd: plan.folder,
    env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C", ...plan.environment },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const ended = new Promise<number>((resolve) => {
    child.on("error", () => resolve(-1));
    child.on("exit", (code) => resolve(code ?? -1));
  });
  if (plan.ready === null) {
    if ((await ended) !== 0) throw silent(plan);
    const endedMs = wallMs();
    return { startedMs, answeredMs: endedMs, readyMs: endedMs, cpuMs: 0, rssKib: 0 };
  }
  const agent = new Agent({ keepAlive: false });
  let answeredMs = 0;
  for (;;) {
    const status = await ask(plan.ready, agent);
    if (status !== 0 && answeredMs === 0) answeredMs = wallMs();
    if (status === 200) break;
    if (child.exitCode !== null || wallMs() - startedMs > deadlineMs) {
      child.kill("SIGKILL");
      throw silent(plan);
    }
    await delay(pollMs);
  }
  const readyMs = wallMs();
  const pid = child.pid ?? -1;
  const cpuMs = cpuMicroseconds([pid]) / 1000;
  const started = { startedMs, answeredMs, readyMs, cpuMs, rssKib: most(pid) };
  child.kill("SIGTERM");
  await Promise.race([ended, delay(stopGraceMs)]);
  child.kill("SIGKILL");
  await ended;
  return started;
}

/** The status of its answer; 0 while it gives none. */
function ask(at: { port: number; path: string }, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    const asked = request({ ...at, host: "127.0.0.1", agent }, (response) => {
      response.resume().on("close", () => resolve(response.statusCode ?? 0));
    });
    asked.on("error", () => resolve(0)).end();
  });
}

/** The high-water mark of what was resident, KiB. */
function most(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1] ?? Number.NaN);
}

function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

function silent({ logPath }: StartPlan): Error {
  const said = readFileSync(logPath, "utf8").trim().split("\n").slice(-3).join("; ");
  return new Error(`it did not become ready; it said: ${said.slice(-500)}`);
}
