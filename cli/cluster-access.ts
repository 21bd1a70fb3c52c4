// Which cluster is meant, and the ways into it. The mesh's commands ask for it through the user's
// kubeconfig: what may be seen and done is what that user may.
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import type { KubernetesTextClient } from "#/cluster/kubernetes/client.ts";
import { createKubernetesClient } from "#/cluster/kubernetes/client.ts";
import type { PodStreams } from "#/cluster/kubernetes/pod-streams.ts";
import type { Clock } from "#/lib/clock.ts";

/** Of a command: its options, by name without dashes. */
interface Asked {
  readonly options: Readonly<Record<string, string | true>>;
}

export interface Cluster {
  /** `cluster "kind" (context "kind-kind")`. */
  readonly place: string;
  readonly client: KubernetesTextClient;
  readonly streams: PodStreams;
}

/** A cluster is named on the command line. */
export function namesCluster({ options }: Asked): boolean {
  return options["kubeconfig"] !== undefined || options["context"] !== undefined;
}

/** Where kubectl would look: --kubeconfig, KUBECONFIG, ~/.kube/config. */
export function kubeconfigFile({ options }: Asked): string {
  const named = options["kubeconfig"];
  if (typeof named === "string") return named;
  const fromEnvironment = process.env["KUBECONFIG"] ?? "";
  return fromEnvironment === "" ? path.join(homedir(), ".kube", "config") : fromEnvironment;
}

/** There is a kubeconfig, though it may not be usable. */
export function hasKubeconfig(context: Asked): boolean {
  return kubeconfigFile(context)
    .split(path.delimiter)
    .some((file) => existsSync(file));
}

/** Rejects with KubernetesError when the kubeconfig cannot be used. Nothing is asked yet. */
export async function openCluster(context: Asked & { readonly clock: Clock }): Promise<Cluster> {
  const named = context.options["context"];
  const file = kubeconfigFile(context);
  const choice = { file, context: typeof named === "string" ? named : null };
  // 0.3 s and 80 MiB, which commands without a cluster need not pay.
  const [{ openKubeconfig }, { openPodStreams }] = await Promise.all([
    import("#/cluster/kubernetes/kubeconfig.ts"),
    import("#/cluster/kubernetes/pod-streams.ts"),
  ]);
  const access = openKubeconfig(choice);
  return {
    place: `cluster "${access.cluster}" (context "${access.context}")`,
    client: createKubernetesClient(access, context.clock),
    streams: openPodStreams(choice),
  };
}
