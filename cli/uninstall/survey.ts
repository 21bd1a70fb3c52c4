// What of the mesh is on a cluster, and what stands in the way of taking it off. Reads only.
import type { KubernetesClient } from "#/cluster/kubernetes/client.ts";
import { listAll } from "#/cluster/kubernetes/list.ts";
import { collectionPath } from "#/cluster/kubernetes/resources.ts";
import { bundleName } from "#/cluster/kubernetes/trust-bundle.ts";
import { orNull } from "../cluster-fault.ts";
import type { KubernetesObject } from "../mesh.ts";
import { MESH_NAMESPACE } from "../policy.ts";
import type { Reference } from "./reference.ts";
import { referenceTo } from "./reference.ts";

export interface Survey {
  /** In the order in which they go. */
  readonly found: readonly Reference[];
  /** "namespace/name" of pods with a sidecar that still run. */
  readonly meshedPods: readonly string[];
  /** "namespace/name" of pods in the mesh's own namespace that are not the mesh's. */
  readonly strangers: readonly string[];
  /** Namespaces that ask for sidecars. */
  readonly labelled: readonly string[];
}

/** What asks others goes first, what others stand on last; the rest goes with the namespace. */
const order: readonly string[] = [
  "MutatingWebhookConfiguration",
  "ValidatingWebhookConfiguration",
  "Deployment",
  "StatefulSet",
  "ConfigMap",
  "PeerAuthentication",
  "IdentitySuspension",
  "FederatedTrustDomain",
  "CustomResourceDefinition",
  "ClusterRoleBinding",
  "ClusterRole",
];
const home = "Namespace";

const part = "app.kubernetes.io/part-of";
/** Mounted by every sidecar, and by nothing else. */
const tokenVolume = "signet-token";

interface PodObject extends KubernetesObject {
  readonly metadata: KubernetesObject["metadata"] & { readonly deletionTimestamp?: string };
  readonly spec: { readonly volumes?: readonly { readonly name: string }[] };
  readonly status?: { readonly phase?: string };
}

/** `base`: every object of the manifests. Rejects with KubernetesError. */
export async function surveyMesh(
  client: KubernetesClient,
  base: readonly KubernetesObject[],
  signal: AbortSignal,
): Promise<Survey> {
  const wanted = base.map((object) => referenceTo(object.kind, object));
  const [present, pods, labelled, bundles, policies, suspensions, federations, claims] =
    await Promise.all([
      Promise.all(wanted.map((each) => isThere(client, each, signal))),
      list(client, "Pod"),
      list(client, "Namespace", null, { labelSelector: "signet.dev/inject=enabled" }),
      findBundles(client),
      list(client, "PeerAuthentication"),
      list(client, "IdentitySuspension"),
      list(client, "FederatedTrustDomain"),
      list(client, "PersistentVolumeClaim", MESH_NAMESPACE),
    ]);
  const found = [
    ...wanted.filter((_, index) => present[index]),
    ...bundles,
    ...policies.map((each) => referenceTo("PeerAuthentication", each)),
    ...suspensions.map((each) => referenceTo("IdentitySuspension", each)),
    ...federations.map((each) => referenceTo("FederatedTrustDomain", each)),
    ...claims.map((each) => referenceTo("PersistentVolumeClaim", each)),
  ];
  const running = (pods as readonly PodObject[]).filter(isRunning);
  return {
    found: found.toSorted((one, other) => placeOf(one) - placeOf(other)),
    meshedPods: running.filter(hasSidecar).map(nameOf),
    strangers: running.filter(isStranger).map(nameOf),
    labelled: labelled.map(({ metadata }) => metadata.name),
  };
}

/** The published trust bundles, each in its namespace. */
export async function findBundles(client: KubernetesClient): Promise<readonly Reference[]> {
  const query = { fieldSelector: `metadata.name=${bundleName}`, labelSelector: `${part}=signet` };
  const found = await list(client, "ConfigMap", null, query);
  return found.map((each) => referenceTo("ConfigMap", each));
}

/** None when the API server does not know the kind. */
async function list(
  client: KubernetesClient,
  kind: string,
  namespace: string | null = null,
  query: Readonly<Record<string, string>> = {},
): Promise<readonly KubernetesObject[]> {
  const found = await orNull(listAll(client, collectionPath(kind, namespace), query));
  return (found ?? []) as readonly KubernetesObject[];
}

async function isThere(
  client: KubernetesClient,
  { path }: Reference,
  signal: AbortSignal,
): Promise<boolean> {
  return (await orNull(client.call({ method: "GET", path, signal }))) !== null;
}

function placeOf({ kind }: Reference): number {
  if (kind === home) return order.length + 1;
  const place = order.indexOf(kind);
  return place < 0 ? order.length : place;
}

function nameOf({ metadata }: KubernetesObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

function isRunning({ metadata, status }: PodObject): boolean {
  const isOver = status?.phase === "Succeeded" || status?.phase === "Failed";
  return !isOver && metadata.deletionTimestamp === undefined;
}

function hasSidecar({ spec }: PodObject): boolean {
  return (spec.volumes ?? []).some(({ name }) => name === tokenVolume);
}

function isStranger({ metadata }: PodObject): boolean {
  return metadata.namespace === MESH_NAMESPACE && metadata.labels?.[part] !== "signet";
}
