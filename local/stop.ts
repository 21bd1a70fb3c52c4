// Taking a mesh down from outside, and clearing away what a crashed one left. Whoever clears holds the
// lock, so that nothing of a mesh that has just begun is ever taken for remains.
import { existsSync, rmSync } from "node:fs";
import path from "node:path";
import { sleep, systemClock } from "#/lib/clock.ts";
import { LocalClient } from "./client.ts";
import { ownerOf, startTicksOf, takeLock } from "./lock.ts";
import type { Lock, Owner } from "./lock.ts";
import { needRoot } from "./machine.ts";
import { controlSocket, lockFile, stateLockFile } from "./names.ts";
import type { Names } from "./names.ts";
import { namespacesOf, removeNamespaces } from "./network.ts";
import { LocalError } from "./objects.ts";

/** Longer than the runtime needs: its pods' grace, and the controller's after it. */
export const stopTimeoutMs = 45_000;
const killedTimeoutMs = 5_000;
const pollMs = 100;

/** Does the work with the process kept alive: the clock's timers do not, and nothing else may. */
export async function stayingAlive<T>(work: () => Promise<T>): Promise<T> {
  const alive = setInterval(() => {}, stopTimeoutMs);
  try {
    return await work();
  } finally {
    clearInterval(alive);
  }
}

/**
 * For who holds the lock: ends what runs in the mesh's own namespaces; removes those and its files.
 * False: there was nothing.
 */
export async function cleanUp(names: Names): Promise<boolean> {
  const removed = await removeNamespaces(names);
  const files = ["pods", "world", "admin", "data", "authority", "local.sock"]
    .map((name) => path.join(names.stateDirectory, name))
    .filter((file) => existsSync(file));
  for (const file of files) rmSync(file, { recursive: true, force: true });
  return removed.length > 0 || files.length > 0;
}

/** Cleans up after a mesh whose lock this process passed on; nothing when it is another's by now. */
export async function finish(names: Names, lock: Lock): Promise<void> {
  if (!lock.takeBack()) return;
  await stayingAlive(() => cleanUp(names));
  lock.release();
}

/** What a mesh that crashed has left, in words; nothing while one runs. For root: others cannot tell. */
export function leftoversOf(names: Names): readonly string[] {
  if (ownerOf(names) !== null) return [];
  const namespaces = namespacesOf(names);
  const locks = existsSync(lockFile(names)) ? [`its lock "${lockFile(names)}"`] : [];
  if (namespaces.length === 0) return locks;
  const [first = ""] = namespaces;
  return [
    namespaces.length === 1
      ? `the network namespace ${first}`
      : `${namespaces.length} network namespaces (${first}, ...)`,
    ...locks,
  ];
}

/** stopped: a mesh ran. cleared: only what a crashed one had left was there. */
export type Stop = "stopped" | "cleared" | "nothing";

/** Stops the mesh of this prefix, whoever runs it and wherever its state is, and clears up after it. */
export function stopLocal(names: Names): Promise<Stop> {
  return stayingAlive(async () => {
    needRoot("stop the mesh");
    const owner = ownerOf(names);
    if (owner === null) return (await clear(names)) ? "cleared" : "nothing";
    const running = { ...names, stateDirectory: owner.stateDirectory };
    await endOwner(running, owner);
    await clear(running);
    return "stopped";
  });
}

async function endOwner(names: Names, owner: Owner): Promise<void> {
  try {
    await new LocalClient(controlSocket(names)).shutdown();
  } catch {
    // It hangs, or has not got so far: it is told in the other way.
    signal(owner, "SIGTERM");
  }
  if (await hasEnded(owner, stopTimeoutMs)) return;
  signal(owner, "SIGKILL");
  await hasEnded(owner, killedTimeoutMs);
}

async function hasEnded({ pid, startTicks }: Owner, timeoutMs: number): Promise<boolean> {
  const deadline = systemClock.monotonic() + timeoutMs;
  while (startTicksOf(pid) === startTicks) {
    if (systemClock.monotonic() > deadline) return false;
    await sleep(systemClock, pollMs);
  }
  return true;
}

function signal({ pid, startTicks }: Owner, name: NodeJS.Signals): void {
  if (startTicksOf(pid) !== startTicks) return;
  try {
    process.kill(pid, name);
  } catch {
    // It ended in this moment.
  }
}

/** Who started the mesh may be clearing at this moment, too: waits for it. False: nothing was there. */
async function clear(names: Names): Promise<boolean> {
  const deadline = systemClock.monotonic() + stopTimeoutMs;
  for (;;) {
    try {
      const wasLocked = [lockFile(names), stateLockFile(names)].some((file) => existsSync(file));
      const lock = takeLock(names);
      const wasThere = await cleanUp(names);
      lock.release();
      return wasLocked || wasThere;
    } catch (error) {
      const held = error instanceof LocalError && error.code === "already_running";
      if (!held) throw error;
      // The state directory belongs to a mesh of another prefix: nothing in it is ours to clear.
      if (ownerOf(names) === null || systemClock.monotonic() > deadline) return false;
    }
    await sleep(systemClock, pollMs);
  }
}
