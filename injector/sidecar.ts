// What is put into a pod: two containers and two volumes, or three. Every field is spelled out, defaults too, so
// that what stands in the pod can later be compared with what should stand there (genuine.ts).
import type { PodOptions } from "./annotations.ts";
import type { InjectorConfig } from "./config.ts";
import { adminPort, probesVariable, relayProbes } from "./probes.ts";
import type { Container, EnvironmentVariable, Pod, Probe, Resources, Volume } from "./pod.ts";
import {
  servingMount,
  workloadSocketPath,
  workloadSocketVariable,
  workloadUsers,
  workloadUsersVariable,
  workloadVolume,
} from "./workload-api.ts";

export const proxyInitName = "proxy-init";
export const proxyName = "proxy";
export const tokenVolumeName = "signet-token";
export const pinsVariable = "SIGNET_ROOT_FINGERPRINTS";
export const trustVolumeName = "signet-trust";

/** User and group of the sidecar; the redirect rules exempt exactly this pair. */
export const proxyUid = 1337;

const tokenAudience = "signet-ca";
/** The shortest that Kubernetes grants; kubelet renews the file well before. */
const tokenLifetimeS = 600;
const tokenDirectory = "/var/run/secrets/signet";
const trustDirectory = "/var/run/signet/trust";
const trustConfigMap = "signet-trust-bundle";
const inboundPort = 4000;
const outboundPort = 5000;

/** What Kubernetes gives a pod to stop in when the pod does not say. */
const graceSDefault = 30;
/** Left between the sidecar's own deadline and the kill. */
const graceMarginS = 5;

/** Of that, what a classic sidecar gives the application before it begins to stop, at most. */
const holdSMax = 5;

/** Said, because an image without a tag would be asked for at every start. */
const imagePullPolicy = "IfNotPresent";

const proxyInitResources: Resources = {
  requests: { cpu: "10m", memory: "64Mi" },
  limits: { memory: "128Mi" },
};

/** Workers beside the thread of the control plane have a heap each. */
const proxyMemoryMi = { requests: 96, limits: 512 } as const;
const workerMemoryMi = { requests: 32, limits: 256 } as const;

function proxyResources({ workers }: PodOptions): Resources {
  const threads = workers === 1 ? 0 : workers;
  const memory = (kind: "requests" | "limits"): string =>
    `${proxyMemoryMi[kind] + threads * workerMemoryMi[kind]}Mi`;
  return {
    requests: { cpu: "50m", memory: memory("requests") },
    limits: { memory: memory("limits") },
  };
}

export interface Sidecar {
  readonly init: Container;
  readonly proxy: Container;
  readonly volumes: readonly Volume[];
}

/** Pure: the containers and volumes for this pod, in the form that `config` chooses. */
export function buildSidecar(pod: Pod, options: PodOptions, config: InjectorConfig): Sidecar {
  return {
    init: buildProxyInit(options, config),
    proxy: buildProxy(pod, options, config),
    volumes: [tokenVolume, trustVolume, ...(options.workloadApi ? [workloadVolume] : [])],
  };
}

/** The pod's containers but for the sidecar's own, in the order in which they start. */
export function ownContainers({ spec }: Pod): readonly Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers].filter(
    ({ name }) => name !== proxyInitName && name !== proxyName,
  );
}

/** Root, because the kernel gives capabilities to no other user in a plain image; but only these two. */
function buildProxyInit(options: PodOptions, config: InjectorConfig): Container {
  // Written out although they are the defaults: a Service that happens to be called "signet-inbound"
  // would otherwise put its own SIGNET_INBOUND_PORT into the environment.
  const env = [
    { name: "SIGNET_INBOUND_PORT", value: String(inboundPort) },
    { name: "SIGNET_OUTBOUND_PORT", value: String(outboundPort) },
    { name: "SIGNET_ADMIN_PORT", value: String(adminPort) },
    ...portsVariable("SIGNET_EXCLUDE_INBOUND_PORTS", options.excludeInboundPorts),
    ...portsVariable("SIGNET_EXCLUDE_OUTBOUND_PORTS", options.excludeOutboundPorts),
  ];
  return {
    name: proxyInitName,
    image: config.images.proxyInit,
    imagePullPolicy,
    env,
    securityContext: {
      runAsUser: 0,
      runAsGroup: 0,
      runAsNonRoot: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { add: ["NET_ADMIN", "NET_RAW"], drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    resources: proxyInitResources,
  };
}

function buildProxy(pod: Pod, options: PodOptions, config: InjectorConfig): Container {
  return {
    name: proxyName,
    image: config.images.proxy,
    imagePullPolicy,
    ...(config.sidecarForm === "native"
      ? { restartPolicy: "Always" }
      : { lifecycle: hooks(stopTimes(pod, config).holdS) }),
    ports: [{ name: "signet-metrics", containerPort: adminPort, protocol: "TCP" }],
    env: proxyEnvironment(pod, options, config),
    volumeMounts: [
      { name: tokenVolumeName, mountPath: tokenDirectory, readOnly: true },
      { name: trustVolumeName, mountPath: trustDirectory, readOnly: true },
      ...(options.workloadApi ? [servingMount] : []),
    ],
    securityContext: {
      runAsUser: proxyUid,
      runAsGroup: proxyUid,
      runAsNonRoot: true,
      privileged: false,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    startupProbe: readyProbe({ periodSeconds: 1, failureThreshold: 120 }),
    readinessProbe: readyProbe({ periodSeconds: 5, failureThreshold: 2 }),
    resources: proxyResources(options),
  };
}

function proxyEnvironment(
  pod: Pod,
  options: PodOptions,
  config: InjectorConfig,
): EnvironmentVariable[] {
  const { drainS } = stopTimes(pod, config);
  const lifetimeS = options.svidLifetimeS;
  return [
    fromField("POD_NAME", "metadata.name"),
    fromField("POD_NAMESPACE", "metadata.namespace"),
    fromField("POD_UID", "metadata.uid"),
    fromField("POD_IP", "status.podIP"),
    fromField("POD_IPS", "status.podIPs"),
    fromField("SERVICE_ACCOUNT", "spec.serviceAccountName"),
    { name: "SIGNET_TRUST_DOMAIN", value: config.trustDomain },
    { name: "SIGNET_CONTROLLER_ADDRESS", value: config.controllerAddress },
    { name: pinsVariable, value: config.rootFingerprints.join(",") },
    { name: "SIGNET_TRUST_BUNDLE_FILE", value: `${trustDirectory}/bundle.pem` },
    { name: "SIGNET_TOKEN_FILE", value: `${tokenDirectory}/token` },
    ...(lifetimeS === null ? [] : [{ name: "SIGNET_SVID_LIFETIME_S", value: String(lifetimeS) }]),
    ...portsVariable("SIGNET_OPAQUE_PORTS", options.opaquePorts),
    ...(options.workers === 1 ? [] : [{ name: "SIGNET_WORKERS", value: String(options.workers) }]),
    ...probesOf(pod),
    ...(options.workloadApi ? workloadVariables(pod) : []),
    { name: "SIGNET_LOG_LEVEL", value: config.logLevel },
    { name: "SIGNET_DRAIN_S", value: String(drainS) },
  ];
}

/**
 * How the pod's grace period is spent, in seconds. A native sidecar is told to stop when the application
 * has ended; a classic one at the same time as the application, and holds on for a while first.
 */
function stopTimes(pod: Pod, config: InjectorConfig): { holdS: number; drainS: number } {
  const graceS = pod.spec.terminationGracePeriodSeconds ?? graceSDefault;
  const wholeS = Math.max(1, graceS - graceMarginS);
  const isNative = config.sidecarForm === "native";
  const holdS = isNative ? 0 : Math.min(holdSMax, Math.floor(wholeS / 2));
  return { holdS, drainS: Math.min(config.drainS, wholeS - holdS) };
}

/** proxy/hook/main.ts says what each of them is for. */
function hooks(holdS: number): NonNullable<Container["lifecycle"]> {
  const program = ["node", "--disable-warning=ExperimentalWarning", "proxy/hook/main.ts"];
  return {
    postStart: { exec: { command: [...program, "started"] } },
    preStop: { exec: { command: [...program, "stopping", String(holdS)] } },
  };
}

function workloadVariables(pod: Pod): EnvironmentVariable[] {
  const users = workloadUsers(pod, ownContainers(pod));
  return [
    { name: workloadSocketVariable, value: workloadSocketPath },
    ...(users === null ? [] : [{ name: workloadUsersVariable, value: users.join(",") }]),
  ];
}

function probesOf(pod: Pod): EnvironmentVariable[] {
  const { probes } = relayProbes(pod);
  if (Object.keys(probes).length === 0) return [];
  return [{ name: probesVariable, value: JSON.stringify(probes) }];
}

/** Through the admin port, which the redirect rules leave alone: kubelet needs no identity there. */
function readyProbe(timing: { periodSeconds: number; failureThreshold: number }): Probe {
  return { httpGet: { path: "/readyz", port: adminPort }, timeoutSeconds: 1, ...timing };
}

function fromField(name: string, fieldPath: string): EnvironmentVariable {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}

function portsVariable(name: string, ports: readonly number[]): EnvironmentVariable[] {
  return ports.length === 0 ? [] : [{ name, value: ports.join(",") }];
}

const tokenVolume: Volume = {
  name: tokenVolumeName,
  projected: {
    sources: [
      {
        serviceAccountToken: {
          audience: tokenAudience,
          expirationSeconds: tokenLifetimeS,
          path: "token",
        },
      },
    ],
  },
};

/** Not optional: a pod without a bundle could not find its CA, and waits rather than runs half made. */
const trustVolume: Volume = { name: trustVolumeName, configMap: { name: trustConfigMap } };
