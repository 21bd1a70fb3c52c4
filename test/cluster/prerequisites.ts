// What must be on the machine: root, Linux, and programs that come as Debian packages. What is missing
// is installed; what cannot be is an error, never a reason to test less.
import { existsSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { systemFolders } from "#/local/machine.ts";
import { succeed } from "./command.ts";
import { RigError } from "./errors.ts";
import { step } from "./progress.ts";

/** A program, and the Debian package that has it. */
const programs: readonly (readonly [program: string, debian: string])[] = [
  ["etcd", "etcd-server"],
  ["containerd", "containerd"],
  ["ctr", "containerd"],
  ["runc", "runc"],
  ["/usr/lib/cni/bridge", "containernetworking-plugins"],
  ["conntrack", "conntrack"],
  ["nft", "nftables"],
  ["iptables", "iptables"],
  ["ip", "iproute2"],
  ["buildah", "buildah"],
  ["mmdebstrap", "mmdebstrap"],
  ["git", "git"],
  ["gcc", "gcc"],
  ["/usr/include/stdio.h", "libc6-dev"],
  ["unzip", "unzip"],
  ["curl", "curl"],
  ["openssl", "openssl"],
  ["unshare", "util-linux"],
  ["setpriv", "util-linux"],
  ["tar", "tar"],
  ["sysctl", "procps"],
  ["/etc/ssl/certs/ca-certificates.crt", "ca-certificates"],
];

/** Debian asks this file before it starts a service that a package brings. */
const servicePolicy = "/usr/sbin/policy-rc.d";

/** Where a program is, or null. */
export function findProgram(name: string): string | null {
  if (name.startsWith("/")) return existsSync(name) ? name : null;
  const folders = [...(process.env["PATH"] ?? "").split(":"), ...systemFolders];
  const folder = folders.find((each) => each !== "" && existsSync(path.join(each, name)));
  return folder === undefined ? null : path.join(folder, name);
}

/** Installs what is missing, of the cluster's own programs. Throws RigError when that is not possible. */
export function ensurePrerequisites(): Promise<void> {
  return ensurePrograms(programs);
}

/** As ensurePrerequisites, for programs of somebody else's choice: each with its Debian package. */
export async function ensurePrograms(wanted: typeof programs): Promise<void> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new RigError("prerequisite_missing", "A cluster of its own needs Linux and root", {
      next: "Run it as root, or name a cluster that is there in SIGNET_TEST_KUBECONFIG",
    });
  }
  const missing = wanted.filter(([program]) => findProgram(program) === null);
  const packages = [...new Set(missing.map(([, debian]) => debian))];
  if (packages.length === 0) return;
  const names = packages.join(" ");
  if (findProgram("apt-get") === null) {
    throw new RigError("prerequisite_missing", `Missing on this machine: ${names}`, {
      next: "Install these Debian packages, or what has the same programs elsewhere",
    });
  }
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await step(`Installing ${names}`, async () => {
    await succeed("apt-get", ["update", "-qq"], { environment });
    const words = ["install", "-y", "-qq", "--no-install-recommends", ...packages];
    await withoutServices(() => succeed("apt-get", words, { environment }));
  });
}

async function withoutServices(work: () => Promise<unknown>): Promise<void> {
  const isOurs = !existsSync(servicePolicy);
  if (isOurs) writeFileSync(servicePolicy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    await work();
  } finally {
    if (isOurs) rmSync(servicePolicy);
  }
}
