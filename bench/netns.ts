// Network namespaces of the bench's own: made for one subject, gone with it, and swept at the next start
// when a run was killed. All names begin with the prefix, and nothing without it is ever touched.
import { createServer } from "node:net";
import { once } from "node:events";
import { MeshError } from "#/lib/errors.ts";
import { layout } from "./layout.ts";
import { killQuietly, run } from "./process.ts";

class BenchBusyError extends MeshError<"bench_busy"> {}

const prefix = "signet-bench-";

/** The namespaces of one subject. */
export interface Network extends Disposable {
  readonly client: string;
  readonly server: string;
  readonly outsider: string;
  readonly controller: string;
}

/** One bench at a time: an abstract socket that the kernel frees with the process. Throws BenchBusyError. */
export async function claimMachine(): Promise<Disposable> {
  const server = createServer();
  server.listen("\0signet-bench");
  try {
    await once(server, "listening");
  } catch (error) {
    throw new BenchBusyError("bench_busy", "Cannot measure: another bench runs on this machine", {
      cause: error,
      next: "Wait until it has ended",
    });
  }
  server.unref();
  return { [Symbol.dispose]: () => server.close() };
}

/** Removes what an earlier run left behind, processes first. */
export function sweepNetworks(): void {
  const names = run("ip", ["netns", "list"])
    .split("\n")
    .map((line) => line.split(" ")[0]!)
    .filter((name) => name.startsWith(prefix));
  for (const name of names) removeNamespace(name);
}

function removeNamespace(name: string): void {
  // Whatever lives in a namespace with our prefix was started by a bench.
  for (const pid of run("ip", ["netns", "pids", name]).split("\n")) {
    if (pid !== "") killQuietly(Number(pid), "SIGKILL");
  }
  run("ip", ["netns", "delete", name]);
}

/** Namespaces, links, addresses and routes for one subject; redirects come with `redirect`. */
export function makeNetwork(subject: string): Network {
  const nameOf = (role: string): string => `${prefix}${subject}-${role}`;
  const network = {
    client: nameOf("client"),
    server: nameOf("server"),
    outsider: nameOf("outsider"),
    controller: nameOf("controller"),
  };
  const all = Object.values(network);
  run("ip", ["-batch", "-"], all.map((name) => `netns add ${name}\n`).join(""));
  for (const name of all) run("ip", ["-n", name, "link", "set", "lo", "up"]);
  connect([network.client, layout.client], [network.server, layout.server]);
  connect([network.client, layout.client], [network.outsider, layout.outsider]);
  connect([network.client, layout.client], [network.controller, layout.controller]);
  connect([network.server, layout.server], [network.controller, layout.controller]);
  // The injector lives beside the one outside the mesh, under an address of its own.
  connect([network.outsider, layout.injector], [network.controller, layout.controller]);
  // A service address needs a route before its packets can be redirected.
  const link = linkTo(layout.server);
  run("ip", ["-n", network.client, "route", "add", layout.serviceNetwork, "dev", link]);
  return { ...network, [Symbol.dispose]: () => all.forEach(removeNamespace) };
}

type End = readonly [namespace: string, address: string];

function connect([left, leftAddress]: End, [right, rightAddress]: End): void {
  const [leftLink, rightLink] = [linkTo(rightAddress), linkTo(leftAddress)];
  const make = `link add ${leftLink} netns ${left} type veth peer name ${rightLink} netns ${right}`;
  run("ip", make.split(" "));
  const ends = [
    [left, leftAddress, rightAddress, leftLink],
    [right, rightAddress, leftAddress, rightLink],
  ] as const;
  for (const [namespace, own, other, link] of ends) {
    run("ip", ["-n", namespace, "addr", "add", own, "peer", `${other}/32`, "dev", link]);
    run("ip", ["-n", namespace, "link", "set", link, "up"]);
  }
}

/** Named by the address at its far end, which is unique within a namespace. */
function linkTo(address: string): string {
  return `to-${address.split(".").at(-1)}`;
}

/** Puts the sidecar's redirects in force, with the very program that does it in a pod. */
export function redirect(namespace: string, projectFolder: string): void {
  const program = `${projectFolder}/proxy-init/main.ts`;
  run("ip", ["netns", "exec", namespace, process.execPath, program]);
}
