// Which Kubernetes a cluster is and which mesh it runs, as far as it tells within a moment.
import { objectPath } from "#/cluster/kubernetes/resources.ts";
import { sleep } from "#/lib/clock.ts";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import { openCluster } from "./cluster-access.ts";
import type { Cluster } from "./cluster-access.ts";
import { orNull } from "./cluster-fault.ts";
import { clusterMesh } from "./cluster-mesh.ts";
import type { CommandContext } from "./commands/context.ts";
import { MESH_NAMESPACE } from "./policy.ts";

export interface ClusterVersion {
  /** `cluster "kind" (context "kind-kind")`; empty when no kubeconfig tells. */
  readonly place: string;
  /** "v1.34.4"; null when the cluster does not answer. */
  readonly kubernetes: string | null;
  readonly mesh: readonly MeshPart[];
  /** Of each controller that answers, as it says itself. */
  readonly controllers: readonly string[];
  /** Why nothing is known; empty when it is. */
  readonly reason: string;
}

interface MeshPart {
  readonly name: string;
  readonly image: string;
  readonly replicas: number;
  readonly ready: number;
}

/** A person waits for this. */
const answerMs = 3_000;
/** Within it: what a controller tells over a forwarded port is worth less than the rest. */
const tellMs = 2_000;

/** Never rejects, and never takes longer than its deadline. */
export async function askCluster(context: CommandContext): Promise<ClusterVersion> {
  const nobody = (reason: string): ClusterVersion => {
    return { place: "", kubernetes: null, mesh: [], controllers: [], reason };
  };
  const late = sleep(context.clock, answerMs).then(() => nobody(`no answer in ${answerMs} ms`));
  const asked = openCluster(context)
    .then((cluster) => ask(cluster, context))
    .catch((thrown: unknown) => nobody(messageOf(thrown)));
  return Promise.race([asked, late]);
}

/** Fields for a person. */
export function clusterText(cluster: ClusterVersion): readonly (readonly [string, string])[] {
  const { place, kubernetes, mesh, controllers, reason } = cluster;
  if (kubernetes === null) return [["cluster", `unknown: ${reason}`]];
  const where: [string, string] = ["cluster", `Kubernetes ${kubernetes}, ${place}`];
  if (mesh.length === 0) {
    return [where, ["mesh", "none; install it: signet install | kubectl apply -f -"]];
  }
  const versions = [...new Set(controllers)];
  return [
    where,
    ["mesh", versions.length === 0 ? "of unknown version" : versions.join(" and ")],
    ...mesh.map(({ name, image, replicas, ready }): [string, string] => {
      return [name, `${image}, ${ready} of ${replicas} ready`];
    }),
  ];
}

async function ask(cluster: Cluster, { clock, signal }: CommandContext): Promise<ClusterVersion> {
  const { client, place } = cluster;
  const get = (path: string): Promise<unknown> =>
    orNull(client.call({ method: "GET", path, timeoutMs: answerMs, signal }));
  const workload = (kind: string, name: string): Promise<unknown> =>
    get(objectPath({ kind, namespace: MESH_NAMESPACE, name }));
  const [version, controllers, ...workloads] = (await Promise.all([
    get("/version"),
    Promise.race([askControllers(cluster, clock), sleep(clock, tellMs).then(() => [])]),
    workload("StatefulSet", "signet-controller"),
    workload("Deployment", "signet-injector"),
  ])) as [{ gitVersion?: string } | null, readonly string[], ...(Workload | null)[]];
  return {
    place,
    kubernetes: version?.gitVersion ?? "unknown",
    mesh: workloads.filter((each) => each !== null).map(partOf),
    controllers,
    reason: "",
  };
}

/** None when they do not answer, or may not be asked. */
async function askControllers(cluster: Cluster, clock: Clock): Promise<readonly string[]> {
  const answers = await clusterMesh(cluster, clock)
    .inspect("/v1/controller")
    .catch(() => []);
  return (answers as readonly { readonly version?: string }[]).map(
    ({ version }) => version ?? "unknown",
  );
}

function partOf({ metadata, spec, status }: Workload): MeshPart {
  return {
    name: metadata.name,
    image: spec.template.spec.containers[0]?.image ?? "unknown",
    replicas: spec.replicas ?? 1,
    ready: status?.readyReplicas ?? 0,
  };
}

interface Workload {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly replicas?: number;
    readonly template: { readonly spec: { readonly containers: readonly { image?: string }[] } };
  };
  readonly status?: { readonly readyReplicas?: number };
}
