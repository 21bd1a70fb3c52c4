// How a container becomes a process: enter the pod's network namespace, make an own mount namespace
// with a private /run that holds the volumes and the code, drop user and capabilities, exec. Pure: the
// script is text, every word of it quoted.
import { assert } from "#/lib/assert.ts";
import { nodeAddress } from "../names.ts";

export interface Mount {
  readonly source: string;
  /** Below /run (or /var/run, which is the same) or /tmp. */
  readonly path: string;
  readonly readOnly: boolean;
}

export interface LaunchPlan {
  readonly networkNamespace: string;
  readonly hostname: string;
  /** An empty folder of this container's, where its /run is put together. */
  readonly stage: string;
  readonly repository: string;
  readonly resolvConf: string;
  readonly mounts: readonly Mount[];
  readonly uid: number;
  readonly gid: number;
  /** Lower case, without "cap_". */
  readonly capabilities: readonly string[];
  /** Folders of this machine that no container is to see: root's keys, the mesh's own state. */
  readonly hidden: readonly string[];
  readonly readOnlyRoot: boolean;
  /** All that the command sees; nothing that runs before it, as root, does. */
  readonly environment: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

/** Where the checkout is seen inside a container: any user may pass there. */
export const codeInside = "/run/signet-code";

export function quoteWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Program and arguments; `exec` all the way, so the process started is the container's. */
export function launchCommand(plan: LaunchPlan): readonly string[] {
  return [
    "nsenter",
    `--net=/run/netns/${plan.networkNamespace}`,
    "unshare",
    "--mount",
    "--uts",
    "--ipc",
    "--propagation",
    "private",
    "sh",
    "-euc",
    launchScript(plan),
  ];
}

/** Whoever started the script reads this pipe to its end: from then on the namespaces are complete. */
const entered = "3>&-";

export function launchScript(plan: LaunchPlan): string {
  const stage = quoteWord(plan.stage);
  const lines = [
    "umask 022",
    // A core would hold what is in memory: tokens, keys.
    "ulimit -c 0",
    `printf %s ${quoteWord(plan.hostname)} > /proc/sys/kernel/hostname`,
    `mount -t tmpfs -o mode=0755,size=16m,nosuid,nodev tmpfs ${stage}`,
    `mkdir -p ${stage}/signet-code`,
    `mount --bind ${quoteWord(plan.repository)} ${stage}/signet-code`,
    `mount -o remount,bind,ro ${stage}/signet-code`,
  ];
  const elsewhere: Mount[] = [];
  for (const mount of plan.mounts) {
    assert(isMountPath(mount.path), "a mount lies below /run or /tmp, and not over the code");
    const inside = pathBelowRun(mount.path);
    if (inside === null) {
      elsewhere.push(mount);
      continue;
    }
    lines.push(...bind(mount.source, `${plan.stage}/${inside}`, mount.readOnly));
  }
  lines.push(
    // A resolv.conf that points into /run would be hidden by the private /run: it is put there.
    `resolv=$(readlink -m /etc/resolv.conf)`,
    `case "$resolv" in /run/*) mkdir -p ${stage}/"$(dirname "\${resolv#/run/}")"; cp ${quoteWord(plan.resolvConf)} ${stage}/"\${resolv#/run/}";; *) mount --bind ${quoteWord(plan.resolvConf)} "$resolv";; esac`,
    `mount --rbind ${stage} /run`,
    "mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev tmpfs /tmp",
  );
  for (const mount of elsewhere) lines.push(...bind(mount.source, mount.path, mount.readOnly));
  for (const folder of seenAs(plan)) {
    const word = quoteWord(folder);
    lines.push(`if [ -d ${word} ]; then mount -t tmpfs -o mode=0700,size=4k,ro tmpfs ${word}; fi`);
  }
  if (plan.readOnlyRoot) lines.push("mount --options-source disable -o remount,bind,ro /");
  lines.push(
    `cd ${codeInside}`,
    `exec ${[...dropPrivileges(plan), ...withOnly(plan.environment), ...plan.command].map(quoteWord).join(" ")} ${entered}`,
  );
  return lines.join("\n");
}

/**
 * Hidden folders in both places where they can be seen: their own, and within the code. What lies below
 * /run is gone already, and what is there now are the pod's own volumes.
 */
function seenAs({ hidden, repository }: LaunchPlan): readonly string[] {
  return hidden.flatMap((folder) => [
    ...(pathBelowRun(folder) === null ? [folder] : []),
    ...(folder.startsWith(`${repository}/`)
      ? [`${codeInside}${folder.slice(repository.length)}`]
      : []),
  ]);
}

function bind(source: string, target: string, readOnly: boolean): readonly string[] {
  const [from, to] = [quoteWord(source), quoteWord(target)];
  const lines = [`mkdir -p ${to}`, `mount --bind ${from} ${to}`];
  return readOnly ? [...lines, `mount -o remount,bind,ro ${to}`] : lines;
}

/** Below /run (/var/run is the same) or /tmp, no way out of it, and not where the code is. */
export function isMountPath(path: string): boolean {
  const inside = pathBelowRun(path);
  if (inside === null && !path.startsWith("/tmp/")) return false;
  const parts = path.split("/");
  if (parts.some((part) => part === ".." || part === ".")) return false;
  return inside === null || !`/run/${inside}/`.replaceAll(/\/+/g, "/").startsWith(`${codeInside}/`);
}

/** The part after /run/, or null when the path lies elsewhere. */
function pathBelowRun(path: string): string | null {
  const match = /^\/(?:var\/)?run\/([\s\S]+)$/.exec(path);
  return match?.[1] ?? null;
}

/** Starts what follows with these variables and no other: LD_PRELOAD and PATH are not root's to obey. */
function withOnly(environment: Readonly<Record<string, string>>): readonly string[] {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return ["env", "-i", "--", ...variables];
}

type Privileges = Pick<LaunchPlan, "uid" | "gid" | "capabilities">;

function dropPrivileges({ uid, gid, capabilities }: Privileges): readonly string[] {
  const kept = capabilities.map((name) => `,+${name}`).join("");
  return [
    "setpriv",
    `--reuid=${uid}`,
    `--regid=${gid}`,
    "--clear-groups",
    "--no-new-privs",
    "--pdeathsig=KILL",
    `--inh-caps=-all${kept}`,
    ...(uid === 0 ? [] : [`--ambient-caps=-all${kept}`]),
    `--bounding-set=-all${kept}`,
  ];
}

/** Runs a command beside a running container: in all of its namespaces, as its user. */
export function execCommand(
  pid: number,
  privileges: Privileges,
  environment: Readonly<Record<string, string>>,
  command: readonly string[],
): readonly string[] {
  return [
    "nsenter",
    `--target=${pid}`,
    "--net",
    "--uts",
    "--ipc",
    "--mount",
    ...dropPrivileges(privileges),
    ...withOnly(environment),
    "/bin/sh",
    "-euc",
    `ulimit -c 0; cd ${codeInside}; exec "$@"`,
    "exec",
    ...command,
  ];
}

export function resolvConfFor(namespace: string): string {
  const domain = "cluster.local";
  return `nameserver ${nodeAddress}\nsearch ${namespace}.svc.${domain} svc.${domain} ${domain}\noptions ndots:5\n`;
}
