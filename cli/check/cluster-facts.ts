// What a check has to know of a cluster, asked all at once. Whether any of it is well is cluster.ts' to say.
import type { KubernetesTextClient } from "#/cluster/kubernetes/client.ts";
import { listAll } from "#/cluster/kubernetes/list.ts";
import { collectionPath, objectPath } from "#/cluster/kubernetes/resources.ts";
import type { Cluster } from "../cluster-access.ts";
import { orNull } from "../cluster-fault.ts";
import type { KubernetesObject, Mesh } from "../mesh.ts";
import { MESH_NAMESPACE } from "../policy.ts";

export interface ClusterFacts {
  /** "v1.34.4". */
  readonly version: string;
  /** What installing takes, and the user may not. */
  readonly forbidden: readonly string[];
  readonly knowsRoutes: boolean;
  readonly knowsPolicies: boolean;
  /** null: not there. */
  readonly controller: Replicas | null;
  readonly injector: Replicas | null;
  /** Webhooks by name, with whether each has a caBundle; null: not registered. */
  readonly webhooks: ReadonlyMap<string, boolean> | null;
  readonly namespaces: readonly KubernetesObject[];
  readonly pods: readonly PodFacts[];
  readonly policies: readonly KubernetesObject[];
  readonly hasBundle: boolean;
}

export interface Replicas {
  readonly wanted: number;
  readonly ready: number;
}

/** As much of a pod as says whether it asks for a sidecar. */
export interface PodFacts extends KubernetesObject {
  readonly metadata: KubernetesObject["metadata"] & { readonly deletionTimestamp?: string };
  readonly spec: {
    readonly hostNetwork?: boolean;
    readonly initContainers?: readonly Container[];
    readonly containers?: readonly Container[];
  };
  readonly status?: { readonly phase?: string };
}

interface Container {
  readonly name: string;
  readonly image?: string;
}

/** Each of them a resource that installing creates. */
const needed = [
  ["apiextensions.k8s.io", "customresourcedefinitions"],
  ["rbac.authorization.k8s.io", "clusterroles"],
  ["rbac.authorization.k8s.io", "clusterrolebindings"],
  ["admissionregistration.k8s.io", "mutatingwebhookconfigurations"],
  ["admissionregistration.k8s.io", "validatingwebhookconfigurations"],
  ["", "namespaces"],
] as const;

/** Rejects with KubernetesError when the API server does not answer. */
export async function readClusterFacts(
  { client }: Cluster,
  mesh: Pick<Mesh, "bundle" | "objects">,
): Promise<ClusterFacts> {
  const version = (await client.call({ method: "GET", path: "/version" })) as {
    readonly gitVersion?: string;
  };
  const crd = (name: string): Promise<boolean> =>
    find(client, "CustomResourceDefinition", name).then((found) => found !== null);
  const system = (kind: string, name: string): Promise<Replicas | null> =>
    find(client, kind, name).then((found) => (found === null ? null : replicasOf(found)));
  const [forbidden, knowsRoutes, knowsPolicies, controller, injector, hooks, namespaces, pods] =
    await Promise.all([
      forbiddenOf(client),
      crd("httproutes.gateway.networking.k8s.io"),
      crd("peerauthentications.signet.dev"),
      system("StatefulSet", "signet-controller"),
      system("Deployment", "signet-injector"),
      find(client, "MutatingWebhookConfiguration", "signet-injector"),
      listAll(client, collectionPath("Namespace")),
      listAll(client, collectionPath("Pod")),
    ]);
  return {
    version: version.gitVersion ?? "unknown",
    forbidden,
    knowsRoutes,
    knowsPolicies,
    controller,
    injector,
    webhooks: hooks === null ? null : webhooksOf(hooks),
    namespaces: namespaces as readonly KubernetesObject[],
    pods: pods as readonly PodFacts[],
    policies: knowsPolicies ? await mesh.objects("PeerAuthentication") : [],
    hasBundle: (await mesh.bundle()) !== null,
  };
}

async function forbiddenOf(client: KubernetesTextClient): Promise<readonly string[]> {
  const answers = await Promise.all(
    needed.map(async ([group, resource]) => {
      const review = (await client.call({
        method: "POST",
        path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        body: {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SelfSubjectAccessReview",
          spec: { resourceAttributes: { verb: "create", group, resource } },
        },
      })) as { readonly status?: { readonly allowed?: boolean } };
      return review.status?.allowed === true ? [] : [resource];
    }),
  );
  return answers.flat();
}

async function find(
  client: KubernetesTextClient,
  kind: string,
  name: string,
): Promise<Record<string, unknown> | null> {
  const path = objectPath({ kind, namespace: MESH_NAMESPACE, name });
  return (await orNull(client.call({ method: "GET", path }))) as Record<string, unknown> | null;
}

function replicasOf(found: Record<string, unknown>): Replicas {
  const spec = found["spec"] as { readonly replicas?: number };
  const status = found["status"] as { readonly readyReplicas?: number } | undefined;
  return { wanted: spec.replicas ?? 1, ready: status?.readyReplicas ?? 0 };
}

function webhooksOf(found: Record<string, unknown>): ReadonlyMap<string, boolean> {
  const hooks = (found["webhooks"] ?? []) as readonly {
    readonly name: string;
    readonly clientConfig?: { readonly caBundle?: string };
  }[];
  return new Map(
    hooks.map(({ name, clientConfig }) => [name, (clientConfig?.caBundle ?? "") !== ""]),
  );
}
