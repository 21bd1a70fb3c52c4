// The small cluster that our own sidecars see while they are measured: two pods in the mesh, one outside
// it, a strict policy and routes with retries, so that everything we ship takes part. Pure.
import { applyPatch } from "#/injector/apply-patch.ts";
import type { InjectorConfig } from "#/injector/config.ts";
import { decide } from "#/injector/decide.ts";
import { buildPatch } from "#/injector/patch.ts";
import { readPod } from "#/injector/pod.ts";
import type { Pod } from "#/injector/pod.ts";
import { proxyName } from "#/injector/sidecar.ts";
import { MeshError } from "#/lib/errors.ts";
import { layout } from "./layout.ts";

class WorldError extends MeshError<"pod_not_injected"> {}

export interface PodFacts {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly address: string;
  readonly serviceAccount: string;
}

/** An object as the Kubernetes API spells it. */
export type KubernetesObject = Readonly<Record<string, unknown>> & {
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>>;
};

export const clientPod: PodFacts = podFacts("app-a", layout.client, 1);
export const serverPod: PodFacts = podFacts("app-b", layout.server, 2);
const outsidePod = podFacts("outside", layout.outsider, 3);
/** Of the one service account that may have a serving certificate. */
export const injectorPod: PodFacts = {
  ...podFacts("signet-injector", layout.injector, 4),
  namespace: "signet-system",
};

const meshLabel = { "signet.dev/inject": "enabled" };
const appLabel = (app: string): Record<string, string> => ({ app });

function podFacts(name: string, address: string, number: number): PodFacts {
  const uid = `00000000-0000-4000-8000-00000000000${number}`;
  return { namespace: name, name: `${name}-0`, uid, address, serviceAccount: name };
}

/** Every object of the world, in an order in which each is named before it is used. */
export function worldObjects(config: InjectorConfig): KubernetesObject[] {
  return [
    namespace("signet-system", {}),
    namespace("app-a", meshLabel),
    namespace("app-b", meshLabel),
    namespace("outside", {}),
    ...[clientPod, serverPod, outsidePod, injectorPod].map(serviceAccount),
    podObject(clientPod, injectedPod(clientPod, config)),
    podObject(serverPod, injectedPod(serverPod, config)),
    podObject(outsidePod, plainPod(outsidePod)),
    podObject(injectorPod, plainPod(injectorPod)),
    service("app-a", "10.203.1.9"),
    service("app-b", layout.meshService),
    service("outside", layout.outsideService),
    endpointSlice(clientPod),
    endpointSlice(serverPod),
    endpointSlice(outsidePod),
    route("app-b"),
    route("outside"),
    {
      apiVersion: "signet.dev/v1alpha1",
      kind: "PeerAuthentication",
      metadata: metadata("app-b", "default"),
      spec: { mtls: { mode: "STRICT" } },
    },
  ];
}

/** The sidecar's environment, with the pod's own fields filled in as kubelet does. Throws WorldError. */
export function sidecarEnvironment(
  facts: PodFacts,
  config: InjectorConfig,
): Record<string, string> {
  const pod = injectedPod(facts, config);
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const proxy = containers.find((container) => container.name === proxyName);
  const fields: Readonly<Record<string, string>> = {
    "metadata.name": facts.name,
    "metadata.namespace": facts.namespace,
    "metadata.uid": facts.uid,
    "status.podIP": facts.address,
    "status.podIPs": facts.address,
    "spec.serviceAccountName": facts.serviceAccount,
  };
  const pairs = (proxy?.env ?? []).map(({ name, value, valueFrom }) => {
    const text = valueFrom === undefined ? value : fields[valueFrom.fieldRef.fieldPath];
    if (text === undefined) throw new WorldError("pod_not_injected", `Cannot fill "${name}"`);
    return [name, text] as const;
  });
  return Object.fromEntries(pairs);
}

/** The pod after the injector's own decision and patch. Throws WorldError when it decides otherwise. */
function injectedPod(facts: PodFacts, config: InjectorConfig): Pod {
  const pod = readPod(plainPod(facts));
  const decision = decide({
    pod,
    namespace: facts.namespace,
    namespaceLabels: meshLabel,
    config,
  });
  if (decision.kind !== "inject") {
    throw new WorldError("pod_not_injected", `Cannot inject "${facts.name}": ${decision.message}`);
  }
  return applyPatch(pod, buildPatch(pod, decision.options, config));
}

function plainPod(facts: PodFacts): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...metadata(facts.namespace, facts.name),
      uid: facts.uid,
      labels: appLabel(facts.namespace),
      annotations: { "signet.dev/opaque-ports": String(layout.opaqueBackendPort) },
    },
    spec: {
      serviceAccountName: facts.serviceAccount,
      containers: [
        {
          name: "app",
          image: "signet/app-b",
          ports: [
            { name: "http", containerPort: layout.backendPort, protocol: "TCP" },
            { name: "bytes", containerPort: layout.opaqueBackendPort, protocol: "TCP" },
          ],
        },
      ],
    },
  };
}

function podObject(facts: PodFacts, pod: Pod | KubernetesObject): KubernetesObject {
  const status = {
    phase: "Running",
    podIP: facts.address,
    podIPs: [{ ip: facts.address }],
    conditions: [{ type: "Ready", status: "True" }],
  };
  return { ...(pod as KubernetesObject), status };
}

function namespace(name: string, labels: Readonly<Record<string, string>>): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, uid: `namespace-${name}`, labels },
  };
}

function serviceAccount(facts: PodFacts): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: {
      ...metadata(facts.namespace, facts.serviceAccount),
      uid: serviceAccountUid(facts),
    },
  };
}

export function serviceAccountUid(facts: PodFacts): string {
  return `account-${facts.serviceAccount}`;
}

function service(name: string, clusterIP: string): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(name, name),
    spec: {
      type: "ClusterIP",
      clusterIP,
      clusterIPs: [clusterIP],
      selector: appLabel(name),
      ports: [
        {
          name: "http",
          port: layout.servicePort,
          targetPort: layout.backendPort,
          protocol: "TCP",
          appProtocol: "http",
        },
        {
          name: "bytes",
          port: layout.opaqueServicePort,
          targetPort: layout.opaqueBackendPort,
          protocol: "TCP",
          appProtocol: "tcp",
        },
      ],
    },
  };
}

function endpointSlice(facts: PodFacts): KubernetesObject {
  const { namespace: name } = facts;
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      ...metadata(name, `${name}-1`),
      labels: { "kubernetes.io/service-name": name },
    },
    addressType: "IPv4",
    ports: [
      { name: "http", port: layout.backendPort, protocol: "TCP", appProtocol: "http" },
      { name: "bytes", port: layout.opaqueBackendPort, protocol: "TCP", appProtocol: "tcp" },
    ],
    endpoints: [
      {
        addresses: [facts.address],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: { kind: "Pod", namespace: name, name: facts.name, uid: facts.uid },
      },
    ],
  };
}

/** Armed, never fired: the backend does not fail. What it costs to be ready for it is measured. */
function route(name: string): KubernetesObject {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: metadata(name, name),
    spec: {
      parentRefs: [{ group: "", kind: "Service", name, port: layout.servicePort }],
      rules: [
        {
          backendRefs: [{ name, port: layout.servicePort, weight: 1 }],
          retry: { codes: [500, 502, 503, 504], attempts: 2, backoff: "25ms" },
          timeouts: { request: "15s" },
        },
      ],
    },
  };
}

function metadata(namespaceName: string, name: string): Record<string, unknown> {
  return {
    name,
    namespace: namespaceName,
    uid: `${namespaceName}-${name}`,
    resourceVersion: "1",
    generation: 1,
    creationTimestamp: "2026-01-01T00:00:00Z",
  };
}
