// Names, addresses and folders of the cluster, all fixed: a machine has a first one, and for the tests that
// want one to themselves a second. Versions of what they are made of stand beside the code that builds it.
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const rigFolder: string = path.dirname(fileURLToPath(import.meta.url));
export const checkout: string = path.resolve(rigFolder, "../..");

/** A process knows one of the two; "2" is said by the one that has the first (second-cluster.ts). */
export const ordinalVariable = "SIGNET_TEST_CLUSTER";
export const isSecond: boolean = process.env[ordinalVariable] === "2";
const [suffix, network] = isSecond ? ["2", "10.245.1"] : ["", "10.245.0"];

/** Node, host name, cgroup folders, and the prefix of the veth pair. */
export const nodeName: string = `signet-test${suffix}`;
/** In the host's namespace; the other end is in the node's. At most 15 characters each. */
export const hostDevice: string = `signet-test-h${suffix}`;
export const nodeDevice: string = `signet-test-n${suffix}`;

export const hostAddress: string = `${network}.1`;
export const nodeAddress: string = `${network}.2`;
/** A /30 joins host and node. */
export const linkPrefixLength = 30;
export const podRange = "10.244.0.0/24";
export const podGateway = "10.244.0.1";
export const serviceRange = "10.96.0.0/16";
/**
 * Of the second family, where the kernel has it: every pod then has an address of each, and a Service
 * may. Pods and Services only: the host and the node speak IPv4 to each other.
 */
export const isDualStack: boolean = existsSync("/proc/net/if_inet6");
export const nodeAddress6 = "fd00:10:245::2";
export const linkPrefixLength6 = 64;
export const podRange6 = "fd00:10:244::/64";
export const podGateway6 = "fd00:10:244::1";
export const serviceRange6 = "fd00:10:96::/112";
/** The API server's own Service: the first of the range. */
export const apiServiceAddress = "10.96.0.1";
export const dnsAddress = "10.96.0.10";
export const apiPort = 6443;

/**
 * What one cluster leaves on the disk: keys, logs, containers. Not below /run, which the node
 * replaces, and not in the cache, which outlives it.
 */
export const stateFolder: string = `/var/lib/signet-test-cluster${suffix}`;
export const kubeconfigFile: string = path.join(stateFolder, "kubeconfig");
export const containerdSocket: string = path.join(stateFolder, "containerd.sock");
export const logFolder: string = path.join(stateFolder, "log");
/** There while a cluster was left up on purpose. */
export const keptFile: string = path.join(stateFolder, "kept");

/** Built parts and image layers, kept between runs. */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const base = environment["XDG_CACHE_HOME"] ?? "";
  return path.join(base === "" ? path.join(homedir(), ".cache") : base, "signet/cluster");
}
