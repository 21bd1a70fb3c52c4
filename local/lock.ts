// One mesh per network prefix: who runs it is written down with its process's start time, so that a
// crashed run is told from a live one and no foreign process is ever ended.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { lockFile } from "./names.ts";
import type { Names } from "./names.ts";
import { LocalError } from "./objects.ts";

interface Owner {
  readonly pid: number;
  readonly startTicks: string;
  readonly stateDirectory: string;
}

/** Clock ticks since boot at which a process began; null when there is none. */
export function startTicksOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The command's name may hold spaces and brackets: fields are counted after the last one.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

/** Who runs a mesh of this prefix now, or null. */
export function ownerOf(names: Names): Owner | null {
  try {
    const owner = JSON.parse(readFileSync(lockFile(names), "utf8")) as Owner;
    return startTicksOf(owner.pid) === owner.startTicks ? owner : null;
  } catch {
    return null;
  }
}

/** Takes the lock for `pid`; throws LocalError when somebody live has it. */
export function takeLock(names: Names, pid: number): void {
  const owner = ownerOf(names);
  if (owner !== null && owner.pid !== pid) {
    throw new LocalError(
      "already_running",
      `Cannot start: a mesh runs already (process ${owner.pid}, state in "${owner.stateDirectory}")`,
      { next: 'Stop it with "signet local down", or look at it with "signet local status"' },
    );
  }
  passLock(names, pid);
}

/** Writes down that `pid` runs the mesh: for who has the lock, to hand it on. */
export function passLock(names: Names, pid: number): void {
  mkdirSync(names.stateDirectory, { recursive: true, mode: 0o711 });
  const { stateDirectory } = names;
  const text = JSON.stringify({ pid, startTicks: startTicksOf(pid) ?? "", stateDirectory });
  writeFileSync(lockFile(names), text, { mode: 0o600 });
}

export function releaseLock(names: Names): void {
  rmSync(lockFile(names), { force: true });
}
