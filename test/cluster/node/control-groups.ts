// The control group that holds all pods, in both versions of the kernel's interface.
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RigError } from "../errors.ts";
import { nodeName } from "../settings.ts";

const root = "/sys/fs/cgroup";
const unifiedFile = path.join(root, "cgroup.controllers");
const versionOneNames =
  "blkio cpu cpuacct cpuset devices freezer hugetlb memory net_cls perf_event pids systemd".split(
    " ",
  );
/**
 * All pods together, against each single process outside: what builds or tests beside them must not
 * starve their probes. Ten times what a group has by itself, in version 2 and in version 1.
 */
const cpuWeight = 1000;
const cpuShares = 10_240;
const removalTries = 50;
const removalDelayMs = 100;

/** Makes the group so that kubelet takes it for its root. */
export function createControlGroups(): void {
  if (existsSync(unifiedFile)) {
    // A group's controllers are what its parent hands down.
    const names = readFileSync(unifiedFile, "utf8").trim().split(" ");
    const wanted = names.map((name) => `+${name}`).join(" ");
    mkdirSync(path.join(root, nodeName), { recursive: true });
    writeFileSync(path.join(root, "cgroup.subtree_control"), wanted);
    writeFileSync(path.join(root, nodeName, "cgroup.subtree_control"), wanted);
    writeFileSync(path.join(root, nodeName, "cpu.weight"), String(cpuWeight));
    return;
  }
  for (const name of versionOneNames.filter((each) => existsSync(path.join(root, each)))) {
    mkdirSync(path.join(root, name, nodeName), { recursive: true });
  }
  const shares = path.join(root, "cpu", nodeName, "cpu.shares");
  if (existsSync(shares)) writeFileSync(shares, String(cpuShares));
  // A set without processors and memory takes no process.
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    const parent = path.join(root, "cpuset", file);
    if (existsSync(parent)) {
      writeFileSync(path.join(root, "cpuset", nodeName, file), readFileSync(parent));
    }
  }
}

/** Removes it once its processes are gone. */
export async function removeControlGroups(): Promise<void> {
  const places = [root, ...readdirSync(root).map((name) => path.join(root, name))];
  const groups = places
    .map((place) => path.join(place, nodeName))
    .filter((each) => existsSync(each));
  for (const group of groups) {
    for (let tries = 0; existsSync(group); tries += 1) {
      if (tries === removalTries) {
        throw new RigError("not_in_time", `Control group "${group}" cannot be removed`, {
          next: "See which processes are left in it (cgroup.procs), end them, and run this again",
        });
      }
      if (tries > 0) await sleep(removalDelayMs);
      removeTree(group);
    }
  }
}

/** Folders from the innermost; one that is busy stays for the next try. */
function removeTree(folder: string): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeTree(path.join(folder, entry.name));
    }
    rmdirSync(folder);
  } catch {
    // Busy, or gone meanwhile.
  }
}
