// Brings a local mesh up from outside: what the machine must have, the lock, what a crashed run left,
// the node's namespace, and then the runtime as a process within it.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import { sleep, systemClock } from "#/lib/clock.ts";
import { LocalClient } from "./client.ts";
import { takeLock } from "./lock.ts";
import type { Lock } from "./lock.ts";
import { needMachine } from "./machine.ts";
import * as naming from "./names.ts";
import type { Names } from "./names.ts";
import { createNodeNamespace } from "./network.ts";
import { LocalError } from "./objects.ts";
import type { Progress } from "./protocol.ts";
import { cleanUp, finish, stayingAlive, stopTimeoutMs } from "./stop.ts";

export { hasProgram, missingHere } from "./machine.ts";
export { leftoversOf, stopLocal } from "./stop.ts";
export type { Stop } from "./stop.ts";

export const namesDefault: Names = { prefix: "signet", stateDirectory: "/run/signet" };

/** A second mesh beside the first needs another state directory and another prefix. */
export function namesFor(stateDirectory: string | undefined, prefix = "signet"): Names {
  return { prefix, stateDirectory: path.resolve(stateDirectory ?? namesDefault.stateDirectory) };
}

export interface LaunchOptions {
  readonly names: Names;
  readonly repository: string;
  readonly authorityDirectory: string;
  readonly manifests: readonly string[];
  /** Default "cluster.local"; that of the authorities that are there already. */
  readonly trustDomain?: string;
  readonly onProgress: (progress: Progress) => void;
  /** Ends the set-up at once and cleans up; without effect once the mesh is up. */
  readonly signal?: AbortSignal;
}

/** asked: somebody stopped it, here or with `stopLocal`. failed: nobody did. */
export type Ending = "asked" | "failed";

export interface LocalMesh {
  readonly client: LocalClient;
  readonly pid: number;
  /** Resolves when the runtime has ended, by itself or through `stop`. */
  readonly ended: Promise<Ending>;
  /** Takes the mesh down and cleans up. */
  stop(): Promise<void>;
}

const startTimeoutMs = 150_000;

/** Resolves when the mesh is up. Throws LocalError, or the signal's reason; nothing is left behind then. */
export function launchLocal(options: LaunchOptions): Promise<LocalMesh> {
  return stayingAlive(() => launch(options));
}

async function launch(options: LaunchOptions): Promise<LocalMesh> {
  const { names, signal } = options;
  signal?.throwIfAborted();
  needMachine();
  const lock = takeLock(names);
  let child: ChildProcess | null = null;
  // Nothing that is being set up is worth a farewell: the clean-up ends the pods, too.
  const kill = (): void => void child?.kill("SIGKILL");
  signal?.addEventListener("abort", kill, { once: true });
  try {
    const begun = (step: string, state: Progress["state"]): void =>
      options.onProgress({ step, detail: "", state, atMs: systemClock.now() });
    begun("network namespaces", "begun");
    await cleanUp(names);
    await createNodeNamespace(names);
    begun("network namespaces", "done");
    signal?.throwIfAborted();
    child = startRuntime(options);
    // Whoever started it may leave: the runtime is what runs the mesh.
    if (child.pid !== undefined) lock.passTo(child.pid);
    const client = new LocalClient(naming.controlSocket(names));
    await untilUp(client, child, options);
    signal?.throwIfAborted();
    return meshOf(client, child, names, lock);
  } catch (error) {
    if (child !== null) await endRuntime(child);
    await finish(names, lock);
    throw signal?.aborted === true ? signal.reason : error;
  } finally {
    signal?.removeEventListener("abort", kill);
  }
}

function meshOf(client: LocalClient, child: ChildProcess, names: Names, lock: Lock): LocalMesh {
  // Once, however it ends: a second time could meet the files of the next mesh.
  const ended = exitOf(child).then(async (ending) => {
    await finish(names, lock);
    return ending;
  });
  return {
    client,
    pid: child.pid ?? 0,
    ended,
    async stop() {
      await endRuntime(child);
      await ended;
    },
  };
}

function startRuntime({
  names,
  repository,
  authorityDirectory,
  manifests,
  trustDomain = naming.clusterDomain,
}: LaunchOptions): ChildProcess {
  mkdirSync(names.stateDirectory, { recursive: true, mode: 0o711 });
  // Only the last run's: every run begins a new one.
  const log = openSync(naming.runtimeLog(names), "w", 0o600);
  const absolute = (location: string): string => path.resolve(location);
  const settings = JSON.stringify({
    names,
    repository: absolute(repository),
    authorityDirectory: absolute(authorityDirectory),
    manifests: manifests.map(absolute),
    trustDomain,
  });
  const child = spawn(
    "nsenter",
    [
      `--net=/run/netns/${naming.nodeNamespace(names)}`,
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      path.join(repository, "local/main.ts"),
      settings,
    ],
    { stdio: ["ignore", log, log], cwd: repository, detached: true },
  );
  closeSync(log);
  return child;
}

async function untilUp(
  client: LocalClient,
  child: ChildProcess,
  options: LaunchOptions,
): Promise<void> {
  const deadline = systemClock.monotonic() + startTimeoutMs;
  let answered = false;
  while (!answered) {
    if (hasExited(child)) throw notStarted(options.names, endOf(child));
    if (systemClock.monotonic() > deadline) throw notStarted(options.names, "no answer in time");
    answered = await client.watchProgress(options.onProgress).then(
      () => true,
      () => false,
    );
    if (!answered) await sleep(systemClock, 50);
  }
  const { phase, reason, next } = await client
    .status()
    .catch(() => ({ phase: "failed", reason: endOf(child), next: "" }));
  if (phase === "ready") return;
  if (phase === "stopping") throw notStarted(options.names, stoppedElsewhere);
  if (next === "") throw notStarted(options.names, reason);
  throw new LocalError("step_failed", `Cannot bring the mesh up: ${reason}`, { next });
}

const stoppedElsewhere = 'it was stopped by "signet local down"';

function endOf(child: ChildProcess): string {
  return child.exitCode === 0 ? stoppedElsewhere : "the runtime ended";
}

function notStarted(names: Names, why: string): LocalError {
  if (why === stoppedElsewhere) {
    return new LocalError("step_failed", `Cannot bring the mesh up: ${why}`);
  }
  let last = "";
  try {
    const text = readFileSync(naming.runtimeLog(names), "utf8");
    last = text.trim().split("\n").at(-1)?.slice(0, 400) ?? "";
  } catch {
    // Nothing was written.
  }
  return new LocalError("step_failed", `Cannot bring the mesh up: ${why}`, {
    next: last === "" ? "" : `The runtime's last words: ${last}`,
  });
}

async function endRuntime(child: ChildProcess): Promise<void> {
  if (hasExited(child)) return;
  child.kill("SIGTERM");
  const cancel = systemClock.after(stopTimeoutMs, () => child.kill("SIGKILL"));
  await exitOf(child);
  cancel();
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

/** The runtime ends with 0 when it was told to, and in no other case. */
function exitOf(child: ChildProcess): Promise<Ending> {
  const ending = (): Ending => (child.exitCode === 0 ? "asked" : "failed");
  return new Promise((resolve) => {
    if (hasExited(child)) resolve(ending());
    else child.once("exit", () => resolve(ending()));
  });
}
