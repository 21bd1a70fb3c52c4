// What this machine must have for a mesh without a cluster.
import { accessSync, constants } from "node:fs";
import path from "node:path";

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
    missing.push({ what: `no "${tool}"`, next: `Install it: apt-get install ${debian}` });
  }
  return missing;
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
