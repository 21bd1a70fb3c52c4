// Brings a local mesh up from outside: what the machine must have, the lock, what a crashed run left,
// the node's namespace, and then the runtime as a process within it.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { accessSync, constants, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { sleep, systemClock } from "#/lib/clock.ts";
import { LocalClient } from "./client.ts";
import { ownerOf, passLock, releaseLock, startTicksOf, takeLock } from "./lock.ts";
import * as naming from "./names.ts";
import type { Names } from "./names.ts";
import { createNodeNamespace, removeNamespaces } from "./network.ts";
import { LocalError } from "./objects.ts";
import type { Progress } from "./protocol.ts";

export const namesDefault: Names = { prefix: "signet", stateDirectory: "/run/signet" };

/** Another state directory is another mesh, but its network is the same: one at a time per prefix. */
export function namesFor(stateDirectory: string | undefined, prefix = "signet"): Names {
  return { prefix, stateDirectory: path.resolve(stateDirectory ?? namesDefault.stateDirectory) };
}

const tools: readonly (readonly [string, string])[] = [
  ["ip", "iproute2"],
  ["iptables-restore", "iptables"],
  ["nsenter", "util-linux"],
  ["setpriv", "util-linux"],
  ["unshare", "util-linux"],
  ["sysctl", "procps"],
];

/** One sentence for each thing that is missing; empty when the mesh can run here. */
export function missingHere(): readonly { readonly what: string; readonly next: string }[] {
  const missing: { what: string; next: string }[] = [];
  if (process.getuid?.() !== 0) {
    missing.push({ what: "not root", next: "Run it as root: it makes network namespaces" });
  }
  for (const [tool, debian] of tools) {
    if (!onPath(tool))
      missing.push({ what: `no "${tool}"`, next: `Install it: apt-get install ${debian}` });
  }
  return missing;
}

const folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

function onPath(tool: string): boolean {
  return folders.some((folder) => {
    try {
      accessSync(path.join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export interface LaunchOptions {
  readonly names: Names;
  readonly repository: string;
  readonly authorityDirectory: string;
  readonly manifests: readonly string[];
  readonly onProgress: (progress: Progress) => void;
}

export interface LocalMesh {
  readonly client: LocalClient;
  readonly pid: number;
  /** Resolves when the runtime has ended, by itself or through `stop`. */
  readonly ended: Promise<void>;
  /** Takes the mesh down and cleans up. */
  stop(): Promise<void>;
}

const startTimeoutMs = 90_000;
const stopTimeoutMs = 40_000;

/** Resolves when the mesh is up. Throws LocalError; nothing is left behind then. */
export async function launchLocal(options: LaunchOptions): Promise<LocalMesh> {
  const { names } = options;
  const [missing] = missingHere();
  if (missing !== undefined) {
    throw new LocalError("not_possible_here", `Cannot run the mesh here: ${missing.what}`, missing);
  }
  takeLock(names, process.pid);
  let child: ChildProcess | null = null;
  try {
    const begun = (step: string, state: Progress["state"]): void =>
      options.onProgress({ step, detail: "", state, atMs: systemClock.now() });
    begun("network namespaces", "begun");
    await cleanUp(names);
    await createNodeNamespace(names);
    begun("network namespaces", "done");
    child = startRuntime(options);
    // Whoever started it may leave: the runtime is what runs the mesh.
    if (child.pid !== undefined) passLock(names, child.pid);
    const client = new LocalClient(naming.controlSocket(names));
    await untilUp(client, child, options);
    const running = child;
    const ended = exitOf(running);
    return {
      client,
      pid: running.pid ?? 0,
      ended: ended.then(() => finish(names)),
      stop: () => stopRuntime(running, names),
    };
  } catch (error) {
    if (child !== null) await stopRuntime(child, names);
    else await finish(names);
    throw error;
  }
}

/** Ends what a crashed run left: its processes (found in its own namespaces), namespaces, files. */
export async function cleanUp(names: Names): Promise<readonly string[]> {
  const removed = await removeNamespaces(names, (pid) => {
    if (pid !== process.pid && startTicksOf(pid) !== null) process.kill(pid, "SIGKILL");
  });
  for (const name of ["pods", "world", "admin", "data", "authority", "local.sock"]) {
    rmSync(path.join(names.stateDirectory, name), { recursive: true, force: true });
  }
  return removed;
}

/** Stops a mesh that another process runs. False: there was none (what it left is cleaned). */
export async function stopLocal(names: Names): Promise<boolean> {
  const owner = ownerOf(names);
  if (owner === null) {
    await finish(names);
    return false;
  }
  const running = { ...names, stateDirectory: owner.stateDirectory };
  await new LocalClient(naming.controlSocket(running)).shutdown();
  const deadline = systemClock.monotonic() + stopTimeoutMs;
  while (ownerOf(names) !== null && systemClock.monotonic() < deadline) {
    await sleep(systemClock, 100);
  }
  // Whoever started it may be gone already, and a runtime cannot remove the namespace it runs in.
  await finish(running);
  return true;
}

function startRuntime({
  names,
  repository,
  authorityDirectory,
  manifests,
}: LaunchOptions): ChildProcess {
  mkdirSync(names.stateDirectory, { recursive: true, mode: 0o711 });
  const log = openSync(path.join(names.stateDirectory, "runtime.log"), "a", 0o600);
  const settings = JSON.stringify({ names, repository, authorityDirectory, manifests });
  return spawn(
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
}

async function untilUp(
  client: LocalClient,
  child: ChildProcess,
  options: LaunchOptions,
): Promise<void> {
  const deadline = systemClock.monotonic() + startTimeoutMs;
  let answered = false;
  while (!answered) {
    if (child.exitCode !== null) throw notStarted(options.names, "the runtime ended");
    if (systemClock.monotonic() > deadline) throw notStarted(options.names, "no answer in time");
    answered = await client.watchProgress(options.onProgress).then(
      () => true,
      () => false,
    );
    if (!answered) await sleep(systemClock, 50);
  }
  const { phase, reason } = await client
    .status()
    .catch(() => ({ phase: "failed", reason: "it ended" }));
  if (phase !== "ready") throw notStarted(options.names, reason);
}

function notStarted(names: Names, why: string): LocalError {
  const file = path.join(names.stateDirectory, "runtime.log");
  let last = "";
  try {
    last = readFileSync(file, "utf8").trim().split("\n").at(-1)?.slice(0, 400) ?? "";
  } catch {
    // Nothing was written.
  }
  return new LocalError("step_failed", `Cannot bring the mesh up: ${why}`, {
    next: last === "" ? "" : `The runtime's last words: ${last}`,
  });
}

async function stopRuntime(child: ChildProcess, names: Names): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGTERM");
    const cancel = systemClock.after(stopTimeoutMs, () => child.kill("SIGKILL"));
    await exitOf(child);
    cancel();
  }
  await finish(names);
}

async function finish(names: Names): Promise<void> {
  await cleanUp(names);
  releaseLock(names);
}

function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once("exit", () => resolve());
  });
}
