// What a cluster's controllers make of objects, as pure functions: pods of a Deployment, and the
// EndpointSlice of a Service.
import { createHash } from "node:crypto";
import type { KubernetesObject, Labels } from "../objects.ts";

interface PodTemplate {
  readonly metadata?: { readonly labels?: Labels; readonly annotations?: Labels };
  readonly spec: Readonly<Record<string, unknown>>;
}

interface DeploymentSpec {
  readonly replicas?: number;
  readonly template: PodTemplate;
}

const hashLabel = "pod-template-hash";

/** Ten hexadecimal digits that change with the template. */
export function templateHash(deployment: KubernetesObject): string {
  const { template } = deployment.spec as unknown as DeploymentSpec;
  return createHash("sha256").update(JSON.stringify(template)).digest("hex").slice(0, 10);
}

/** How many pods it wants. */
export function replicasOf(deployment: KubernetesObject): number {
  return (deployment.spec as unknown as DeploymentSpec).replicas ?? 1;
}

/** One pod of a Deployment; `suffix` tells it from its siblings, and from those it replaces. */
export function podOf(deployment: KubernetesObject, suffix: string): KubernetesObject {
  const { template } = deployment.spec as unknown as DeploymentSpec;
  const hash = templateHash(deployment);
  const owner = deployment.metadata.name;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `${owner}-${hash.slice(0, 6)}-${suffix}`,
      namespace: deployment.metadata.namespace ?? "default",
      labels: { ...template.metadata?.labels, [hashLabel]: hash },
      annotations: { ...template.metadata?.annotations },
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "Deployment", name: owner, uid: deployment.metadata.uid },
      ],
    },
    spec: { ...template.spec },
  };
}

/** A pod's Deployment, by name; null for a pod of its own. */
export function ownerOf(pod: KubernetesObject): string | null {
  const owners = pod.metadata["ownerReferences"] as readonly { name: string }[] | undefined;
  return owners?.[0]?.name ?? null;
}

/** What of a Deployment's pods stays and what goes; `pods` are all of them, oldest first. */
export interface Rollout {
  readonly missing: number;
  /** Of an older template, or too many: to be stopped once what is missing has come. */
  readonly surplus: readonly KubernetesObject[];
}

export function rolloutOf(
  deployment: KubernetesObject,
  pods: readonly KubernetesObject[],
): Rollout {
  const hash = templateHash(deployment);
  const wanted = replicasOf(deployment);
  const current = pods.filter((pod) => pod.metadata.labels?.[hashLabel] === hash);
  // Those that serve are kept before those that do not.
  const kept = current.toSorted((a, b) => Number(isReady(b)) - Number(isReady(a))).slice(0, wanted);
  return {
    missing: wanted - kept.length,
    surplus: pods.filter((pod) => !kept.includes(pod)),
  };
}

export function selects(selector: Labels | undefined, labels: Labels | undefined): boolean {
  if (selector === undefined || Object.keys(selector).length === 0) return false;
  return Object.entries(selector).every(([name, value]) => labels?.[name] === value);
}

interface ServicePortSpec {
  readonly name?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly appProtocol?: string;
}

export function servicePorts(service: KubernetesObject): readonly ServicePortSpec[] {
  return (service.spec?.["ports"] as ServicePortSpec[] | undefined) ?? [];
}

interface ContainerPorts {
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
}

/** The number that `targetPort` means in this pod; null when the pod has no port of that name. */
export function targetPortOf(port: ServicePortSpec, pod: KubernetesObject): number | null {
  const target = port.targetPort ?? port.port;
  if (typeof target === "number") return target;
  const containers = (pod.spec?.["containers"] ?? []) as ContainerPorts[];
  const named = containers.flatMap((each) => each.ports ?? []).find((each) => each.name === target);
  return named?.containerPort ?? null;
}

export interface PodStatus {
  readonly phase: string;
  readonly podIP?: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

export function statusOf(pod: KubernetesObject): PodStatus {
  return (pod["status"] as PodStatus | undefined) ?? { phase: "Pending" };
}

export function isReady(pod: KubernetesObject): boolean {
  const { conditions = [] } = statusOf(pod);
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

const managedByLabel = "endpointslice.kubernetes.io/managed-by";
const sliceManager = "signet-local";

/** Whether a slice was made here, of a Service's pods. */
export function isDerived({ metadata }: KubernetesObject): boolean {
  return metadata.labels?.[managedByLabel] === sliceManager;
}

/** One slice per Service; all its pods with an address are in it, ready or not. */
export function endpointSliceOf(
  service: KubernetesObject,
  pods: readonly KubernetesObject[],
): KubernetesObject {
  const selector = service.spec?.["selector"] as Labels | undefined;
  const namespace = service.metadata.namespace ?? "default";
  const members = pods.filter(
    (pod) =>
      pod.metadata.namespace === namespace &&
      selects(selector, pod.metadata.labels) &&
      statusOf(pod).podIP !== undefined,
  );
  const first = members[0];
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `${service.metadata.name}-local`,
      namespace,
      labels: {
        "kubernetes.io/service-name": service.metadata.name,
        [managedByLabel]: sliceManager,
      },
    },
    addressType: "IPv4",
    ports: servicePorts(service).map(({ name = "", port, targetPort, appProtocol }) => {
      const wanted = { port, ...(targetPort === undefined ? {} : { targetPort }) };
      const number = first === undefined ? port : (targetPortOf(wanted, first) ?? port);
      return { name, port: number, protocol: "TCP", appProtocol };
    }),
    endpoints: members.map((pod) => ({
      addresses: [statusOf(pod).podIP],
      conditions: { ready: isReady(pod), serving: isReady(pod), terminating: false },
      targetRef: { kind: "Pod", name: pod.metadata.name, namespace, uid: pod.metadata.uid },
    })),
  };
}
