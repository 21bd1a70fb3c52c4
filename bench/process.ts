// Starting, watching and measuring processes. Every process the bench starts is stopped by its own id.
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, fchownSync, openSync, readFileSync, readdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { MeshError } from "#/lib/errors.ts";

type ProcessErrorCode = "command_failed" | "process_ended";
class ProcessError extends MeshError<ProcessErrorCode> {}

export interface Placement {
  /** Name of the network namespace; null for the one we are in. */
  readonly namespace: string | null;
  /** The one core it may run on; null: any. */
  readonly core: number | null;
  /** User and group. */
  readonly uid: number;
}

export interface LaunchOptions {
  readonly placement: Placement;
  readonly command: string;
  readonly parameters: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder: string;
  /** Standard output is appended here. */
  readonly outputPath: string;
  /** Standard error is appended here. */
  readonly errorPath: string;
}

export interface Launched extends AsyncDisposable {
  readonly pid: number;
  readonly name: string;
  /** The end of what it said on standard error, for messages. */
  lastWords(): string;
  hasEnded(): boolean;
}

const stopGraceMs = 3000;
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * The command line that puts `command` where it belongs. Each step replaces the one before: one pid. It
 * dies with the bench, however the bench dies.
 */
function placed(
  placement: Placement,
  command: string,
  parameters: readonly string[],
): { command: string; parameters: string[] } {
  const { namespace, core, uid } = placement;
  const words = [
    ...(namespace === null ? [] : ["ip", "netns", "exec", namespace]),
    ...(core === null ? [] : ["taskset", "-c", String(core)]),
    ...`setpriv --reuid=${uid} --regid=${uid} --clear-groups --pdeathsig=KILL --`.split(" "),
    command,
    ...parameters,
  ];
  return { command: words[0]!, parameters: words.slice(1) };
}

/** Starts a long-running process. Throws what spawn throws. */
export function launch(options: LaunchOptions): Launched {
  // Append mode, so that a log can be emptied while it is written.
  const output = openSync(options.outputPath, "a");
  const errors = openSync(options.errorPath, "a");
  // Some open these files again under their own user.
  fchownSync(output, options.placement.uid, options.placement.uid);
  fchownSync(errors, options.placement.uid, options.placement.uid);
  const { command, parameters } = placed(options.placement, options.command, options.parameters);
  const child = spawn(command, parameters, {
    cwd: options.folder,
    env: { PATH: path, LC_ALL: "C", ...options.environment },
    stdio: ["ignore", output, errors],
  });
  closeSync(output);
  closeSync(errors);
  child.on("error", () => undefined);
  const hasEnded = (): boolean =>
    child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid ?? -1,
    name: options.command,
    hasEnded,
    lastWords: () => tail(options.errorPath),
    [Symbol.asyncDispose]: async () => {
      await stop(child, hasEnded);
    },
  };
}

async function stop(child: ChildProcess, hasEnded: () => boolean): Promise<void> {
  const family = child.pid === undefined ? [] : descendants(child.pid);
  child.kill("SIGTERM");
  const deadline = performance.now() + stopGraceMs;
  while (!hasEnded() && performance.now() < deadline) await delay(20);
  if (!hasEnded()) child.kill("SIGKILL");
  for (const pid of family) killQuietly(pid, "SIGKILL");
  while (!hasEnded()) await delay(10);
}

/** Kills one process; it may be gone already. */
export function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone, which is what was wanted.
  }
}

function tail(file: string): string {
  try {
    return readFileSync(file, "utf8").trim().split("\n").slice(-3).join("; ").slice(-500);
  } catch {
    return "";
  }
}

/** Runs a short command to its end and returns what it printed. Throws ProcessError. */
export function run(command: string, parameters: readonly string[], input = ""): string {
  const result = spawnSync(command, parameters, {
    input,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    env: { PATH: path, LC_ALL: "C", HOME: "/root", DEBIAN_FRONTEND: "noninteractive" },
  });
  if (result.status !== 0) {
    const said = (result.stderr ?? "").trim().split("\n").slice(-3).join("; ");
    const state = result.error?.message ?? `it ended with ${result.status}: ${said}`;
    throw new ProcessError("command_failed", `Cannot run "${command}": ${state}`);
  }
  return result.stdout;
}

/** Runs a placed command to its end without blocking the bench. Throws ProcessError. */
export async function runPlaced(
  placement: Placement,
  command: string,
  parameters: readonly string[],
  onLine?: (line: string) => void,
): Promise<string> {
  const words = placed(placement, command, parameters);
  const child = spawn(words.command, words.parameters, {
    env: { PATH: path, LC_ALL: "C" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let seen = 0;
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    for (let end = output.indexOf("\n", seen); end >= 0; end = output.indexOf("\n", seen)) {
      onLine?.(output.slice(seen, end));
      seen = end + 1;
    }
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const exit = await new Promise<number | null>((resolve) => {
    child.on("error", () => resolve(null));
    child.on("close", (code) => resolve(code));
  });
  if (exit !== 0) {
    const said = errors.trim().split("\n").slice(-3).join("; ").slice(-500);
    throw new ProcessError(
      "command_failed",
      `Cannot run "${command}": ended with ${exit}: ${said}`,
    );
  }
  return output;
}

/** The process and all that it started, by walking /proc once. */
export function descendants(root: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = parentOf(Number(entry));
    if (parent !== null) parents.set(Number(entry), parent);
  }
  const family = [root];
  for (const pid of family) {
    for (const [child, parent] of parents) if (parent === pid) family.push(child);
  }
  return family;
}

function parentOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name stands in parentheses and may hold anything; fields are counted behind it.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return null;
  }
}

/**
 * Microseconds on a core so far, user and system, of all threads of these processes. From schedstat,
 * which counts nanoseconds where /proc/PID/stat counts ticks of 10 ms.
 */
export function cpuMicroseconds(pids: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      try {
        const line = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8");
        nanoseconds += Number(line.split(" ")[0]);
      } catch {
        // A thread that ended between the listing and the read.
      }
    }
  }
  return nanoseconds / 1000;
}

export interface Memory {
  readonly rssKib: number;
  readonly pssKib: number;
}

/** Resident and proportional set size, summed over the processes. */
export function memoryOf(pids: readonly number[]): Memory {
  let rssKib = 0;
  let pssKib = 0;
  for (const pid of pids) {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    rssKib += Number(/^Rss:\s+(\d+) kB$/m.exec(text)?.[1] ?? Number.NaN);
    pssKib += Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? Number.NaN);
  }
  return { rssKib, pssKib };
}
