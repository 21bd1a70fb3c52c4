// What this machine must have for a mesh without a cluster.
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { LocalError } from "./objects.ts";

const tools: readonly (readonly [string, string])[] = [
  ["bash", "bash"],
  ["ip", "iproute2"],
  ["iptables-restore", "iptables"],
  ["nsenter", "util-linux"],
  ["setpriv", "util-linux"],
  ["unshare", "util-linux"],
  ["mount", "mount"],
  ["sysctl", "procps"],
];

export interface Missing {
  readonly what: string;
  /** One sentence: what to do about it. */
  readonly next: string;
  /** The Debian package that has it. */
  readonly debian?: string;
}

/** Where system tools are; root's PATH may lack some of it. */
export const systemFolders: readonly string[] = [
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
];

/** One entry for each thing that is missing; empty when the mesh can run here. */
export function missingHere(
  userId: number | undefined = process.getuid?.(),
  folders: readonly string[] = systemFolders,
): readonly Missing[] {
  const missing: Missing[] = [];
  if (process.platform !== "linux") {
    missing.push({ what: "not Linux", next: "Run it on Linux: it makes network namespaces" });
  }
  if (userId !== 0) {
    missing.push({ what: "not root", next: "Run it as root: it makes network namespaces" });
  }
  for (const [tool, debian] of tools) {
    if (isIn(folders, tool)) continue;
    missing.push({ what: `no "${tool}"`, next: installText([debian]), debian });
  }
  return missing;
}

/** Throws LocalError that names everything that is missing, and all that is to be done. */
export function needMachine(missing: readonly Missing[] = missingHere()): void {
  if (missing.length === 0) return;
  const what = missing.map((each) => each.what).join(", ");
  const packages = new Set(missing.flatMap(({ debian = [] }) => debian));
  const steps = missing.flatMap(({ debian, next }) => (debian === undefined ? [next] : []));
  if (packages.size > 0) steps.push(installText([...packages]));
  throw new LocalError("not_possible_here", `Cannot run the mesh here: ${what}`, {
    next: steps.join("; "),
  });
}

/** Throws LocalError for anybody else: who may not read the lock cannot tell that a mesh runs. */
export function needRoot(action: string, userId: number | undefined = process.getuid?.()): void {
  if (userId === 0) return;
  throw new LocalError("not_possible_here", `Cannot ${action}: not root`, {
    next: "Run it as root",
  });
}

function installText(packages: readonly string[]): string {
  return `Install ${packages.length === 1 ? "it" : "them"}: apt-get install ${packages.join(" ")}`;
}

export function hasProgram(name: string): boolean {
  return isIn(systemFolders, name);
}

function isIn(folders: readonly string[], tool: string): boolean {
  return folders.some((folder) => {
    try {
      accessSync(path.join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
