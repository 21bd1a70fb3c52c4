// The network of the local mesh: one namespace that stands for the node, one for each pod, a veth pair
// between them, routed (/32 and /128, no bridge) so that the node sees both directions of every flow.
// The host's own network is not touched.
import { readdirSync, statSync } from "node:fs";
import { sleep, systemClock } from "#/lib/clock.ts";
import { attempt, run } from "./command.ts";
import * as naming from "./names.ts";
import type { Names } from "./names.ts";

const { nodeAddress, nodeAddressV6, podLink } = naming;

export async function createNodeNamespace(names: Names): Promise<void> {
  const node = naming.nodeNamespace(names);
  await run("ip", ["netns", "add", node]);
  await run(
    "ip",
    ["-n", node, "-batch", "-"],
    `link set lo up\naddr add ${nodeAddress}/32 dev lo\n`,
  );
  await run("ip", [
    "netns",
    "exec",
    node,
    "sysctl",
    "-qw",
    "net.ipv4.ip_forward=1",
    "net.ipv6.conf.all.forwarding=1",
  ]);
}

/** Made from within the node's namespace. */
export async function createPodNetwork(names: Names, index: number): Promise<void> {
  const pod = naming.podNamespace(names, index);
  const link = podLink(index);
  const address = naming.podAddress(index);
  const addressV6 = naming.podAddressV6(index);
  await run("ip", ["netns", "add", pod]);
  await run("ip", ["link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", pod]);
  const onNode = [
    `addr add ${nodeAddressV6}/64 dev ${link} nodad`,
    `link set ${link} up`,
    `route add ${address}/32 dev ${link} src ${nodeAddress}`,
    `-6 route add ${addressV6}/128 dev ${link}`,
  ];
  const inPod = [
    "link set lo up",
    "link set eth0 up",
    `addr add ${address}/32 dev eth0`,
    `addr add ${addressV6}/128 dev eth0 nodad`,
    `route add ${nodeAddress}/32 dev eth0 scope link`,
    `route add default via ${nodeAddress} dev eth0`,
    `-6 route add default via ${nodeAddressV6} dev eth0`,
  ];
  await batch([], onNode);
  await batch(["-n", pod], inPod);
}

/** `ip -batch` takes no -6 per line: those go one by one. */
async function batch(prefix: readonly string[], lines: readonly string[]): Promise<void> {
  const four = lines.filter((line) => !line.startsWith("-6 "));
  await run("ip", [...prefix, "-batch", "-"], `${four.join("\n")}\n`);
  for (const line of lines) {
    if (line.startsWith("-6 ")) await run("ip", [...prefix, ...line.split(" ")]);
  }
}

export async function deletePodNetwork(names: Names, index: number): Promise<void> {
  // The pair goes with the namespace once nothing runs in it; the link is taken at once.
  await attempt("ip", ["link", "delete", podLink(index)]);
  await attempt("ip", ["netns", "delete", naming.podNamespace(names, index)]);
}

/** One port of a Service, and where it goes. */
export interface ServiceBackend {
  readonly service: string;
  readonly address: string;
  readonly port: number;
  readonly backends: readonly { readonly address: string; readonly port: number }[];
}

/** The rules that stand in for kube-proxy: random among ready endpoints, refused without one. Pure. */
export function serviceRules(services: readonly ServiceBackend[]): string {
  const lines = ["*nat", ":PREROUTING ACCEPT [0:0]"];
  for (const { service, address, port, backends } of services) {
    const match = `-A PREROUTING -d ${address}/32 -p tcp -m tcp --dport ${port} -m comment --comment "${service}"`;
    for (const [index, backend] of backends.entries()) {
      const left = backends.length - index;
      const chance =
        left === 1 ? "" : ` -m statistic --mode random --probability ${(1 / left).toFixed(6)}`;
      lines.push(`${match}${chance} -j DNAT --to-destination ${backend.address}:${backend.port}`);
    }
  }
  lines.push("COMMIT", "*filter", ":FORWARD ACCEPT [0:0]");
  for (const { service, address, port } of services) {
    lines.push(
      `-A FORWARD -d ${address}/32 -p tcp -m tcp --dport ${port} -m comment --comment "${service} without endpoint" -j REJECT --reject-with tcp-reset`,
    );
  }
  lines.push("COMMIT", "");
  return lines.join("\n");
}

/** Replaces all rules of the node's namespace (the caller runs in it) in one step. */
export async function applyServiceRules(services: readonly ServiceBackend[]): Promise<void> {
  await run("iptables-restore", [], serviceRules(services));
}

/** Removes every namespace of this prefix, ending the processes that are in them. */
export async function removeNamespaces(names: Names): Promise<readonly string[]> {
  const ours = namespacesOf(names);
  for (const name of ours) {
    // What is ended last may have started something before it was: looked at again until nobody is in.
    for (let pass = 0; pass < passesMax && killWithin(name); pass += 1)
      await sleep(systemClock, 20);
  }
  for (const name of ours) await attempt("ip", ["netns", "delete", name]);
  return ours;
}

/** Those of this prefix that there are. */
export function namespacesOf(names: Names): readonly string[] {
  const node = naming.nodeNamespace(names);
  return listed(netnsFolder)
    .filter((name) => name === node || isPodNamespace(names, name))
    .toSorted();
}

const netnsFolder = "/run/netns";
const passesMax = 50;

function isPodNamespace({ prefix }: Names, name: string): boolean {
  return name.startsWith(`${prefix}-pod-`) && /^\d+$/.test(name.slice(prefix.length + 5));
}

/**
 * Being in a namespace that we made is what makes a process ours: no pid is taken from a file. It is
 * looked up and ended in the same breath, so the pid cannot have become another's. Says whether there
 * was one.
 */
function killWithin(name: string): boolean {
  const wanted = inodeOf(`${netnsFolder}/${name}`);
  if (wanted === null || wanted === inodeOf("/proc/self/ns/net")) return false;
  let found = false;
  for (const entry of listed("/proc")) {
    if (!/^\d+$/.test(entry) || inodeOf(`/proc/${entry}/ns/net`) !== wanted) continue;
    found = true;
    try {
      process.kill(Number(entry), "SIGKILL");
    } catch {
      // It ended by itself.
    }
  }
  return found;
}

function inodeOf(file: string): number | null {
  try {
    return statSync(file).ino;
  } catch {
    return null;
  }
}

function listed(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
