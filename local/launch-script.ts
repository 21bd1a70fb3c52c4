// How a container becomes a process: enter the pod's network namespace, make an own mount namespace
// with a private /run that holds the volumes and the code, drop user and capabilities, exec. Pure: the
// script is text, every word of it quoted.
import { nodeAddress } from "./names.ts";

export interface Mount {
  readonly source: string;
  /** Below /run (or /var/run, which is the same) or /tmp. */
  readonly path: string;
  readonly readOnly: boolean;
}

export interface LaunchPlan {
  readonly networkNamespace: string;
  /** An empty folder of this container's, where its /run is put together. */
  readonly stage: string;
  readonly repository: string;
  readonly resolvConf: string;
  readonly mounts: readonly Mount[];
  readonly uid: number;
  readonly gid: number;
  /** Lower case, without "cap_". */
  readonly capabilities: readonly string[];
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
    "--propagation",
    "private",
    "sh",
    "-euc",
    launchScript(plan),
  ];
}

export function launchScript(plan: LaunchPlan): string {
  const stage = quoteWord(plan.stage);
  const lines = [
    "umask 022",
    `mount -t tmpfs -o mode=0755,size=16m,nosuid,nodev tmpfs ${stage}`,
    `mkdir -p ${stage}/signet-code`,
    `mount --bind ${quoteWord(plan.repository)} ${stage}/signet-code`,
    `mount -o remount,bind,ro ${stage}/signet-code`,
  ];
  const elsewhere: Mount[] = [];
  for (const mount of plan.mounts) {
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
    `case "$resolv" in /run/*) mkdir -p "${plan.stage}/$(dirname "\${resolv#/run/}")"; cp ${quoteWord(plan.resolvConf)} "${plan.stage}/\${resolv#/run/}";; *) mount --bind ${quoteWord(plan.resolvConf)} "$resolv";; esac`,
    `mount --rbind ${stage} /run`,
    "mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev tmpfs /tmp",
  );
  for (const mount of elsewhere) lines.push(...bind(mount.source, mount.path, mount.readOnly));
  lines.push(
    `cd ${codeInside}`,
    `exec ${dropPrivileges(plan)} ${plan.command.map(quoteWord).join(" ")}`,
  );
  return lines.join("\n");
}

function bind(source: string, target: string, readOnly: boolean): readonly string[] {
  const [from, to] = [quoteWord(source), quoteWord(target)];
  const lines = [`mkdir -p ${to}`, `mount --bind ${from} ${to}`];
  return readOnly ? [...lines, `mount -o remount,bind,ro ${to}`] : lines;
}

/** The part after /run/, or null when the path lies elsewhere. */
export function pathBelowRun(path: string): string | null {
  const match = /^\/(?:var\/)?run\/(.+)$/.exec(path);
  return match?.[1] ?? null;
}

function dropPrivileges(plan: LaunchPlan): string {
  const kept = plan.capabilities.map((name) => `,+${name}`).join("");
  const flags = [
    `--reuid=${plan.uid}`,
    `--regid=${plan.gid}`,
    "--clear-groups",
    "--no-new-privs",
    "--pdeathsig=KILL",
    `--inh-caps=-all${kept}`,
    ...(plan.uid === 0 ? [] : [`--ambient-caps=-all${kept}`]),
    `--bounding-set=-all${kept}`,
  ];
  return `setpriv ${flags.join(" ")}`;
}

export function resolvConfFor(namespace: string): string {
  const domain = "cluster.local";
  return `nameserver ${nodeAddress}\nsearch ${namespace}.svc.${domain} svc.${domain} ${domain}\noptions ndots:5\n`;
}
