// What a cluster's controllers make of objects, as pure functions: pods of a Deployment, and the
// EndpointSlice of a Service.
import { createHash } from "node:crypto";
import type { KubernetesObject, Labels } from "./objects.ts";

interface PodTemplate {
  readonly metadata?: { readonly labels?: Labels; readonly annotations?: Labels };
  readonly spec: Readonly<Record<string, unknown>>;
}

interface DeploymentSpec {
  readonly replicas?: number;
  readonly template: PodTemplate;
}

/** Ten hexadecimal digits that change with the template. */
export function templateHash(deployment: KubernetesObject): string {
  const { template } = deployment.spec as unknown as DeploymentSpec;
  return createHash("sha256").update(JSON.stringify(template)).digest("hex").slice(0, 10);
}

/** The pods that a Deployment wants now, by name. */
export function podsOf(deployment: KubernetesObject): KubernetesObject[] {
  const { replicas = 1, template } = deployment.spec as unknown as DeploymentSpec;
  const hash = templateHash(deployment);
  const owner = deployment.metadata.name;
  return Array.from({ length: replicas }, (_unused, index) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `${owner}-${hash.slice(0, 6)}-${index}`,
      namespace: deployment.metadata.namespace ?? "default",
      labels: { ...template.metadata?.labels, "pod-template-hash": hash },
      annotations: { ...template.metadata?.annotations },
      ownerReferences: [{ apiVersion: "apps/v1", kind: "Deployment", name: owner }],
    },
    spec: { ...template.spec },
  }));
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
      labels: { "kubernetes.io/service-name": service.metadata.name },
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
