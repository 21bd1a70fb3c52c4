// Disposable network namespaces for tests that need a real kernel: real links, real iptables, real
// users. A lab owns its namespaces and takes them away when it is disposed; what a crashed run left
// behind is found by its name, which carries the maker's pid and start time, and is swept by the next.
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";

export interface CommandOptions {
  /** Run as this user and group with no capability left; root with all of them when absent. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Root with exactly these capabilities, as a container runtime would give them: "net_admin". */
  readonly capabilities?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Namespace {
  /** The kernel-wide name, for `ip netns`. */
  readonly name: string;
  /** Runs a program to its end; never rejects for its exit code. */
  run(
    program: string,
    parameters: readonly string[],
    options?: CommandOptions,
  ): Promise<CommandResult>;
  /** Like `run`, and throws with stderr unless it ends with 0. Returns stdout. */
  succeed(
    program: string,
    parameters: readonly string[],
    options?: CommandOptions,
  ): Promise<string>;
  /** Starts a program that the lab stops when it is disposed. */
  start(program: string, parameters: readonly string[], options?: CommandOptions): ChildProcess;
}

export interface LinkEnd {
  readonly namespace: Namespace;
  /** Interface name, at most 15 characters. */
  readonly device: string;
  /** With prefix length: "10.0.0.1/24", "fd00::1/64". */
  readonly addresses: readonly string[];
}

export interface Lab extends AsyncDisposable {
  /** A new namespace with its loopback up. */
  addNamespace(label: string): Promise<Namespace>;
  /** A veth pair, up, addressed and without the delay of duplicate address detection. */
  link(left: LinkEnd, right: LinkEnd): Promise<void>;
}

const netnsDirectory = "/run/netns";
const namePattern = /^signet-test-(\d+)-(\d+)-\d+-[a-z0-9]+$/;
const timeoutMsDefault = 20_000;
const programs = ["ip", "nsenter", "setpriv", "iptables-restore", "ip6tables-restore", "nft"];

/** What is missing for a lab on this machine, as a sentence; null when nothing is. */
export function missingPrerequisite(): string | null {
  if (process.getuid?.() !== 0) return "Network namespaces need root: run these tests as root";
  const missing = programs.filter(
    (program) =>
      !["/usr/sbin", "/usr/bin", "/sbin", "/bin"].some((at) => existsSync(`${at}/${program}`)),
  );
  if (missing.length === 0) return null;
  return `Missing ${missing.join(", ")}: install the packages iproute2, iptables, nftables and util-linux`;
}

/** A lab of this process. Sweeps what dead processes left first. */
export async function createLab(): Promise<Lab> {
  await sweepStale();
  const namespaces: NetnsNamespace[] = [];
  return {
    async addNamespace(label) {
      created += 1;
      const name = `signet-test-${process.pid}-${startTime(process.pid)}-${created}-${label}`;
      await must("ip", ["netns", "add", name]);
      const namespace = new NetnsNamespace(name);
      namespaces.push(namespace);
      await namespace.succeed("ip", ["link", "set", "lo", "up"]);
      return namespace;
    },
    link,
    async [Symbol.asyncDispose]() {
      for (const namespace of namespaces) await namespace.remove();
    },
  };
}

let created = 0;

class NetnsNamespace implements Namespace {
  readonly name: string;
  readonly #children = new Set<ChildProcess>();

  constructor(name: string) {
    this.name = name;
  }

  run(
    program: string,
    parameters: readonly string[],
    options: CommandOptions = {},
  ): Promise<CommandResult> {
    const [first, ...rest] = enter(this.name, program, parameters, options);
    return runToEnd(first!, rest, options);
  }

  async succeed(
    program: string,
    parameters: readonly string[],
    options: CommandOptions = {},
  ): Promise<string> {
    const result = await this.run(program, parameters, options);
    if (result.exitCode === 0) return result.stdout;
    throw new Error(
      `"${program} ${parameters.join(" ")}" in ${this.name}: ${result.stderr.trim()}`,
    );
  }

  start(
    program: string,
    parameters: readonly string[],
    options: CommandOptions = {},
  ): ChildProcess {
    const [first, ...rest] = enter(this.name, program, parameters, options);
    const child = spawn(first!, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      env: environmentOf(options),
    });
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    child.once("error", () => this.#children.delete(child));
    return child;
  }

  /** Stops what was started, and whatever it may have left running inside, then removes the namespace. */
  async remove(): Promise<void> {
    const ended = [...this.#children].map(
      (child) => new Promise<void>((resolve) => child.once("exit", () => resolve())),
    );
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(ended);
    await removeNamespace(this.name);
  }
}

async function link(left: LinkEnd, right: LinkEnd): Promise<void> {
  const end = (each: LinkEnd): string[] => [each.device, "netns", each.namespace.name];
  await must("ip", ["link", "add", ...end(left), "type", "veth", "peer", "name", ...end(right)]);
  for (const { namespace, device, addresses } of [left, right]) {
    for (const address of addresses) {
      const nodad = address.includes(":") ? ["nodad"] : [];
      await namespace.succeed("ip", ["address", "add", address, "dev", device, ...nodad]);
    }
    await namespace.succeed("ip", ["link", "set", device, "up"]);
  }
}

/** nsenter execs in place, so the child's pid is the program's own and a kill reaches it. */
function enter(
  name: string,
  program: string,
  parameters: readonly string[],
  { user, capabilities }: CommandOptions,
): string[] {
  const into = ["nsenter", `--net=${netnsDirectory}/${name}`, "--"];
  const bounding = (list: readonly string[]): string =>
    `--bounding-set=${["-all", ...list.map((each) => `+${each}`)].join(",")}`;
  if (user !== undefined) {
    const { uid, gid } = user;
    const as = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--inh-caps=-all"];
    return [...into, "setpriv", ...as, bounding([]), "--no-new-privs", program, ...parameters];
  }
  if (capabilities !== undefined) {
    const as = ["--inh-caps=-all", bounding(capabilities), "--no-new-privs"];
    return [...into, "setpriv", ...as, program, ...parameters];
  }
  return [...into, program, ...parameters];
}

function environmentOf(options: CommandOptions): Record<string, string> {
  const { PATH = "/usr/sbin:/usr/bin:/sbin:/bin" } = process.env;
  return { PATH, LC_ALL: "C", ...options.environment };
}

function runToEnd(
  program: string,
  parameters: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const settings = {
      env: environmentOf(options),
      timeout: options.timeoutMs ?? timeoutMsDefault,
      killSignal: "SIGKILL" as const,
    };
    execFile(program, [...parameters], settings, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ exitCode, stdout, stderr: stderr === "" && error ? error.message : stderr });
    });
  });
}

async function must(program: string, parameters: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runToEnd(program, parameters);
  if (exitCode === 0) return stdout;
  throw new Error(`"${program} ${parameters.join(" ")}": ${stderr.trim()}`);
}

async function sweepStale(): Promise<void> {
  if (!existsSync(netnsDirectory)) return;
  for (const name of readdirSync(netnsDirectory)) {
    const match = namePattern.exec(name);
    if (match === null || startTime(Number(match[1])) === match[2]) continue;
    await removeNamespace(name);
  }
}

/** Processes hold a namespace beyond its name: those inside are ended first. */
async function removeNamespace(name: string): Promise<void> {
  const { stdout } = await runToEnd("ip", ["netns", "pids", name]);
  for (const pid of stdout.split("\n").filter((line) => /^\d+$/.test(line))) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It ended by itself in the meantime.
    }
  }
  await runToEnd("ip", ["netns", "delete", name]);
}

/** Field 22 of /proc/PID/stat: clock ticks since boot; empty for no such process. Tells a pid's reuse. */
function startTime(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name may hold spaces and brackets: count from its last bracket.
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}
