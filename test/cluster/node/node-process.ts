// The process that is the node: started into namespaces of its own, found again by a later run, ended
// by one signal.
import { spawn } from "node:child_process";
import { existsSync, openSync, closeSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RigError } from "../errors.ts";
import {
  apiPort,
  hostAddress,
  isDualStack,
  linkPrefixLength,
  linkPrefixLength6,
  logFolder,
  nodeAddress,
  nodeAddress6,
  nodeDevice,
  nodeName,
  podGateway,
  podGateway6,
  rigFolder,
  serviceRange,
  serviceRange6,
  stateFolder,
} from "../settings.ts";

interface NodeProcess {
  /** The one that made the namespaces; when it is killed, the first of them is. */
  readonly outer: ProcessName;
  /** PID 1 of the namespaces, as the host numbers it. */
  readonly first: ProcessName;
}

/** A number is used again; with the time it started it is not. */
interface ProcessName {
  readonly pid: number;
  readonly startedAt: string;
}

const file = path.join(stateFolder, "node-process.json");
const pollMs = 20;
const appearMsMax = 5000;
const endMsMax = 20_000;

/** `outlives`: stays when this process ends; otherwise it ends with it, however that ends. */
export async function startNodeProcess(programs: string, outlives: boolean): Promise<number> {
  const output = openSync(path.join(logFolder, "node.log"), "a");
  const bond = ["setpriv", "--pdeathsig", "KILL"];
  const namespaces = ["--pid", "--mount", "--net", "--uts", "--ipc", "--mount-proc"];
  const script = path.join(rigFolder, "node/node.sh");
  const unshare = ["unshare", "--fork", ...namespaces, "--kill-child=KILL", "bash", script];
  const [program = "", ...parameters] = outlives ? unshare : [...bond, ...unshare];
  const child = spawn(program, parameters, {
    detached: true,
    stdio: ["ignore", output, output],
    env: nodeEnvironment(programs),
  });
  child.unref();
  closeSync(output);
  const outerPid = child.pid;
  if (outerPid === undefined) throw new RigError("command_failed", "Cannot start unshare");
  const firstPid = await firstChild(outerPid);
  const started: NodeProcess = { outer: named(outerPid), first: named(firstPid) };
  writeFileSync(file, JSON.stringify(started));
  return firstPid;
}

/** PID 1 of the running node, as the host numbers it, or null. */
export function runningNode(): number | null {
  const known = recorded();
  return known !== null && isAlive(known.first) ? known.first.pid : null;
}

/** Ends the node with all its processes, and waits until they are gone. */
export async function stopNodeProcess(): Promise<void> {
  const known = recorded();
  if (known === null) return;
  const processes = [known.outer, known.first];
  for (const each of processes) if (isAlive(each)) process.kill(each.pid, "SIGKILL");
  const until = performance.now() + endMsMax;
  while (processes.some(isAlive)) {
    if (performance.now() > until) {
      throw new RigError("not_in_time", `The node's process ${known.first.pid} does not end`);
    }
    await sleep(pollMs);
  }
}

function nodeEnvironment(programs: string): NodeJS.ProcessEnv {
  return {
    HOME: "/root",
    PATH: process.env["PATH"],
    NODE_STATE: stateFolder,
    NODE_PROGRAMS: programs,
    NODE_NAME: nodeName,
    NODE_DEVICE: nodeDevice,
    NODE_ADDRESS: nodeAddress,
    NODE_HOST_ADDRESS: hostAddress,
    NODE_LINK_PREFIX: String(linkPrefixLength),
    NODE_POD_GATEWAY: podGateway,
    NODE_SERVICE_RANGE: serviceRange,
    NODE_API_PORT: String(apiPort),
    ...(isDualStack && {
      NODE_ADDRESS6: nodeAddress6,
      NODE_LINK_PREFIX6: String(linkPrefixLength6),
      NODE_POD_GATEWAY6: podGateway6,
      NODE_SERVICE_RANGE6: serviceRange6,
    }),
  };
}

async function firstChild(pid: number): Promise<number> {
  const until = performance.now() + appearMsMax;
  while (performance.now() < until) {
    const children = `/proc/${pid}/task/${pid}/children`;
    const text = existsSync(children) ? readFileSync(children, "utf8").trim() : "";
    if (text !== "") return Number(text.split(" ")[0]);
    await sleep(pollMs);
  }
  throw new RigError("not_in_time", "The node's namespaces were not made", {
    next: `See ${path.join(logFolder, "node.log")}`,
  });
}

function recorded(): NodeProcess | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as NodeProcess) : null;
}

function named(pid: number): ProcessName {
  return { pid, startedAt: startOf(pid) ?? "" };
}

function isAlive({ pid, startedAt }: ProcessName): boolean {
  return startOf(pid) === startedAt;
}

/** Clock ticks since boot at which a process started; null for none, and for one that only waits to be read. */
function startOf(pid: number): string | null {
  try {
    // The name stands in brackets and may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return fields[0] === "Z" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
