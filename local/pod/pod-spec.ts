// A pod's spec as the runtime runs it, read once; what cannot be done without a cluster is refused with
// the name of the field.
import { commandOfImage } from "./images.ts";
import { isMountPath } from "./launch-script.ts";
import { LocalError } from "../objects.ts";
import type { KubernetesObject } from "../objects.ts";

export interface Probe {
  readonly kind: "http" | "tcp" | "exec";
  readonly path: string;
  readonly port: number;
  readonly command: readonly string[];
  /** From the container's start to the first look. */
  readonly delayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly failureThreshold: number;
}

export interface ContainerSpec {
  readonly name: string;
  readonly nodeArguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly uid: number;
  readonly gid: number;
  readonly capabilities: readonly string[];
  readonly mounts: readonly {
    readonly volume: string;
    readonly path: string;
    readonly readOnly: boolean;
  }[];
  readonly startupProbe: Probe | null;
  readonly readinessProbe: Probe | null;
  readonly livenessProbe: Probe | null;
  readonly readOnlyRoot: boolean;
  /** An init container that stays: restartPolicy Always. */
  readonly sidecar: boolean;
}

export interface PodSpec {
  readonly init: readonly ContainerSpec[];
  readonly containers: readonly ContainerSpec[];
  readonly graceMs: number;
  readonly serviceAccount: string;
}

/** What the downward API tells. */
export interface Downward {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly ip: string;
  readonly serviceAccount: string;
}

const uidDefault = 10_001;
const graceSecondsDefault = 30;

interface RawContainer {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly RawVariable[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { name: string; mountPath: string; readOnly?: boolean }[];
  readonly securityContext?: RawSecurity & {
    readonly readOnlyRootFilesystem?: boolean;
    readonly capabilities?: { readonly add?: readonly string[] };
  };
  readonly startupProbe?: RawProbe;
  readonly readinessProbe?: RawProbe;
  readonly livenessProbe?: RawProbe;
  readonly restartPolicy?: string;
}

interface RawSecurity {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsNonRoot?: boolean;
}

interface RawVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string } };
}

interface RawProbe {
  readonly httpGet?: { readonly path?: string; readonly port: number | string };
  readonly tcpSocket?: { readonly port: number | string };
  readonly exec?: { readonly command: readonly string[] };
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly failureThreshold?: number;
}

interface RawPodSpec {
  readonly initContainers?: readonly RawContainer[];
  readonly containers?: readonly RawContainer[];
  readonly securityContext?: RawSecurity;
  readonly terminationGracePeriodSeconds?: number;
  readonly serviceAccountName?: string;
  readonly hostNetwork?: boolean;
  readonly volumes?: readonly { readonly name: string }[];
}

export function serviceAccountOf(pod: KubernetesObject): string {
  return (pod.spec as RawPodSpec | undefined)?.serviceAccountName ?? "default";
}

/** Throws LocalError that names what cannot be run here. */
export function readPodSpec(pod: KubernetesObject, downward: Downward): PodSpec {
  const raw = (pod.spec ?? {}) as RawPodSpec;
  const where = `${downward.namespace}/${downward.name}`;
  if (raw.hostNetwork === true) throw impossible(where, "hostNetwork");
  const containers = raw.containers ?? [];
  if (containers.length === 0) throw impossible(where, "a pod without containers");
  const read = (each: RawContainer): ContainerSpec => readContainer(each, raw, downward, where);
  return {
    init: (raw.initContainers ?? []).map(read),
    containers: containers.map(read),
    graceMs: (raw.terminationGracePeriodSeconds ?? graceSecondsDefault) * 1000,
    serviceAccount: downward.serviceAccount,
  };
}

function readContainer(
  raw: RawContainer,
  pod: RawPodSpec,
  downward: Downward,
  where: string,
): ContainerSpec {
  if (raw.command !== undefined) throw impossible(where, `"command" of container "${raw.name}"`);
  const security = { ...pod.securityContext, ...raw.securityContext };
  const uid = security.runAsUser ?? uidDefault;
  if (security.runAsNonRoot === true && uid === 0) {
    throw impossible(where, `container "${raw.name}" is to run as root and not as root`);
  }
  const mounts = (raw.volumeMounts ?? []).map(({ name, mountPath, readOnly }) => {
    if (!isMountPath(mountPath)) {
      throw impossible(
        where,
        `a mount at "${mountPath}" (only below /run and /tmp, beside the code)`,
      );
    }
    if (!(pod.volumes ?? []).some((volume) => volume.name === name)) {
      throw impossible(where, `a mount of volume "${name}", which the pod has not`);
    }
    return { volume: name, path: mountPath, readOnly: readOnly === true };
  });
  const environment = readEnvironment(raw.env ?? [], downward, where);
  return {
    name: raw.name,
    nodeArguments: [...commandOfImage(raw.image), ...(raw.args ?? [])],
    environment: { HOSTNAME: downward.name, ...environment },
    uid,
    gid: security.runAsGroup ?? uid,
    capabilities: (raw.securityContext?.capabilities?.add ?? []).map((name) => name.toLowerCase()),
    mounts,
    startupProbe: readProbe(raw.startupProbe, raw, where),
    readinessProbe: readProbe(raw.readinessProbe, raw, where),
    livenessProbe: readProbe(raw.livenessProbe, raw, where),
    readOnlyRoot: raw.securityContext?.readOnlyRootFilesystem === true,
    sidecar: raw.restartPolicy === "Always",
  };
}

function readEnvironment(
  variables: readonly RawVariable[],
  downward: Downward,
  where: string,
): Record<string, string> {
  const fields: Readonly<Record<string, string>> = {
    "metadata.name": downward.name,
    "metadata.namespace": downward.namespace,
    "metadata.uid": downward.uid,
    "status.podIP": downward.ip,
    "status.podIPs": downward.ip,
    "spec.serviceAccountName": downward.serviceAccount,
  };
  const environment: Record<string, string> = {};
  for (const { name, value, valueFrom } of variables) {
    const field = valueFrom?.fieldRef?.fieldPath;
    if (valueFrom !== undefined && field === undefined) {
      throw impossible(where, `env "${name}" from something else than a field`);
    }
    const text = field === undefined ? expand(value ?? "", environment) : fields[field];
    if (text === undefined) throw impossible(where, `env "${name}" from field "${field}"`);
    environment[name] = text;
  }
  return environment;
}

/** $(NAME) of a variable before it; $$(NAME) and names not known stay as they are, as in Kubernetes. */
function expand(text: string, known: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\$|\$\(([\w.-]+)\)/g, (whole, name: string | undefined) => {
    if (name === undefined) return "$";
    return Object.hasOwn(known, name) ? (known[name] ?? whole) : whole;
  });
}

function readProbe(
  raw: RawProbe | undefined,
  container: RawContainer,
  where: string,
): Probe | null {
  if (raw === undefined) return null;
  const kind = raw.httpGet === undefined ? (raw.tcpSocket === undefined ? "exec" : "tcp") : "http";
  const path = raw.httpGet?.path ?? "/";
  if (!probePath.test(path)) throw impossible(where, `a probe of the path ${JSON.stringify(path)}`);
  return {
    kind,
    path,
    port: kind === "exec" ? 0 : probePort(raw, container, where),
    command: raw.exec?.command ?? [],
    delayMs: (raw.initialDelaySeconds ?? 0) * 1000,
    periodMs: (raw.periodSeconds ?? 10) * 1000,
    timeoutMs: (raw.timeoutSeconds ?? 1) * 1000,
    failureThreshold: raw.failureThreshold ?? 3,
  };
}

/** It goes into a request line as it is. */
const probePath = /^\/[\x21-\x7e]{0,1023}$/;

function probePort(raw: RawProbe, container: RawContainer, where: string): number {
  const port = raw.httpGet?.port ?? raw.tcpSocket?.port;
  if (typeof port === "number") return port;
  const named = (container.ports ?? []).find((each) => each.name === port);
  if (named !== undefined) return named.containerPort;
  throw impossible(where, `a probe of port "${port}", which container "${container.name}" has not`);
}

function impossible(where: string, what: string): LocalError {
  return new LocalError("not_possible_here", `Cannot run pod "${where}": ${what}`, {
    next: "Change the manifest, or run it on a cluster",
  });
}
