// One mesh per network prefix and per state directory: who runs it is written down with its
// process's start time, so that a crashed run is told from a live one, and a pid that the kernel has
// given to somebody else in the meantime is never taken for the owner.
import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { lockFile, stateLockFile } from "./names.ts";
import type { Names } from "./names.ts";
import { LocalError } from "./objects.ts";

export interface Owner {
  readonly pid: number;
  /** Tells a process from a later one that was given the same pid. */
  readonly startTicks: string;
  readonly stateDirectory: string;
}

export interface Lock {
  /** Writes down that `pid` runs the mesh from now on. */
  passTo(pid: number): void;
  /** Takes it again once that process has ended. False: somebody else was faster, and owns it now. */
  takeBack(): boolean;
  /** Frees it, unless somebody else has it by now. */
  release(): void;
}

/** Clock ticks since boot at which a process began; null when there is none, or only its remains. */
export function startTicksOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The command's name may hold spaces and brackets: fields are counted after the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

/** Who runs a mesh of this prefix now, whatever its state directory; or null. */
export function ownerOf(names: Names): Owner | null {
  return liveOwner(lockFile(names));
}

/** Takes both locks for this process; throws LocalError that says who has one of them. */
export function takeLock(names: Names): Lock {
  const files = [lockFile(names), stateLockFile(names)];
  const taken: string[] = [];
  let written = describe(process.pid, names);
  const mine = (file: string): boolean => readText(file) === written;
  const write = (pid: number): void => {
    const next = describe(pid, names);
    for (const file of files) replace(file, next);
    written = next;
  };
  try {
    for (const file of files) {
      takeFile(file, written);
      taken.push(file);
    }
  } catch (error) {
    for (const file of taken) rmSync(file, { force: true });
    throw error;
  }
  return {
    passTo: write,
    takeBack() {
      if (!files.every(mine)) return false;
      write(process.pid);
      return true;
    },
    release() {
      for (const file of files) if (mine(file)) rmSync(file, { force: true });
    },
  };
}

const attemptsMax = 5;

/** Creates the file or fails: of two that start at once, one wins. */
function takeFile(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o711 });
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    try {
      writeFileSync(file, text, { flag: "wx", mode: 0o600 });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const owner = liveOwner(file);
    if (owner !== null) throw taken(owner);
    setAside(file);
  }
  throw new LocalError("already_running", `Cannot start: "${file}" is being taken by others`, {
    next: "Try again",
  });
}

/** Removes a dead owner's file. Renaming is atomic: a live one that came in between is put back. */
function setAside(file: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (liveOwner(aside) !== null) {
    try {
      linkSync(aside, file);
    } catch {
      // Yet another one has it: that one stays.
    }
  }
  unlinkSync(aside);
}

function taken({ pid, stateDirectory }: Owner): LocalError {
  return new LocalError(
    "already_running",
    `Cannot start: a mesh runs already (process ${pid}, state in "${stateDirectory}")`,
    { next: 'Stop it with "signet local down", or look at it with "signet local status"' },
  );
}

function liveOwner(file: string): Owner | null {
  try {
    const owner = JSON.parse(readText(file)) as Owner;
    const isLive = owner.startTicks !== "" && startTicksOf(owner.pid) === owner.startTicks;
    return isLive ? owner : null;
  } catch {
    return null;
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function describe(pid: number, { stateDirectory }: Names): string {
  return JSON.stringify({ pid, startTicks: startTicksOf(pid) ?? "", stateDirectory });
}

function replace(file: string, text: string): void {
  const next = `${file}.next`;
  writeFileSync(next, text, { mode: 0o600 });
  renameSync(next, file);
}
