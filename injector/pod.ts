// The part of a Kubernetes Pod that injection looks at. Objects keep every other field they came with:
// nothing is decoded and written back, the patch only adds. `readPod` is the edge: behind it the
// fields named here have the types named here.
import { MeshError } from "#/lib/errors.ts";

export type Labels = Readonly<Record<string, string>>;

interface SecurityContext {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsNonRoot?: boolean;
  readonly privileged?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
  readonly seccompProfile?: { readonly type: string };
}

export interface EnvironmentVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
}

interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

export interface Probe {
  readonly httpGet: { readonly path: string; readonly port: number };
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
}

interface Hook {
  readonly exec: { readonly command: readonly string[] };
}

export interface Resources {
  readonly requests: { readonly cpu: string; readonly memory: string };
  readonly limits: { readonly memory: string };
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly imagePullPolicy?: string;
  readonly restartPolicy?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly ports?: readonly {
    readonly name?: string;
    readonly containerPort: number;
    readonly protocol?: string;
  }[];
  readonly env?: readonly EnvironmentVariable[];
  readonly volumeMounts?: readonly VolumeMount[];
  readonly securityContext?: SecurityContext;
  readonly lifecycle?: { readonly postStart: Hook; readonly preStop: Hook };
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly resources?: Resources;
}

export interface Volume {
  readonly name: string;
  readonly [source: string]: unknown;
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly ephemeralContainers?: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly shareProcessNamespace?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly serviceAccountName?: string;
  readonly securityContext?: SecurityContext;
  readonly os?: { readonly name: string };
}

export interface Pod {
  readonly metadata: {
    readonly name?: string;
    readonly generateName?: string;
    readonly namespace?: string;
    readonly labels?: Labels;
    readonly annotations?: Labels;
  };
  readonly spec: PodSpec;
}

export class PodError extends MeshError<"pod_invalid"> {}

/** Checks the shape of what injection reads and returns the very same object, typed. Throws PodError. */
export function readPod(value: unknown): Pod {
  const pod = record(value, "pod");
  const metadata = record(pod["metadata"] ?? {}, "metadata");
  optional(metadata["labels"], "metadata.labels", stringMap);
  optional(metadata["annotations"], "metadata.annotations", stringMap);
  const spec = record(pod["spec"], "spec");
  readContainers(spec["containers"], "spec.containers");
  optional(spec["initContainers"], "spec.initContainers", readContainers);
  optional(spec["ephemeralContainers"], "spec.ephemeralContainers", readContainers);
  optional(spec["volumes"], "spec.volumes", namedList);
  optional(spec["securityContext"], "spec.securityContext", readSecurityContext);
  optional(spec["os"], "spec.os", record);
  for (const flag of ["hostNetwork", "hostPID", "shareProcessNamespace"]) {
    optional(spec[flag], `spec.${flag}`, typed("boolean"));
  }
  const grace = "terminationGracePeriodSeconds";
  optional(spec[grace], `spec.${grace}`, typed("number"));
  return (pod["metadata"] === undefined ? { ...pod, metadata } : pod) as unknown as Pod;
}

/** `name`, or `generateName` followed by a star while the API server has not made a name yet. */
export function podName(pod: Pod): string {
  return pod.metadata.name ?? `${pod.metadata.generateName ?? ""}*`;
}

function readContainers(value: unknown, path: string): void {
  for (const [index, container] of namedList(value, path).entries()) {
    const at = `${path}[${index}]`;
    optional(container["securityContext"], `${at}.securityContext`, readSecurityContext);
    optional(container["env"], `${at}.env`, namedList);
    optional(container["volumeMounts"], `${at}.volumeMounts`, namedList);
  }
}

function readSecurityContext(value: unknown, path: string): void {
  const context = record(value, path);
  optional(context["runAsUser"], `${path}.runAsUser`, typed("number"));
  optional(context["privileged"], `${path}.privileged`, typed("boolean"));
  optional(context["capabilities"], `${path}.capabilities`, (capabilities, at) => {
    const lists = record(capabilities, at);
    for (const key of ["add", "drop"]) optional(lists[key], `${at}.${key}`, stringList);
  });
}

type Check = (value: unknown, path: string) => unknown;

/** Kubernetes treats null as absent in optional fields, and so does this. */
function optional(value: unknown, path: string, check: Check): void {
  if (value !== undefined && value !== null) check(value, path);
}

function record(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw fault(path, "an object", value);
}

function namedList(value: unknown, path: string): Record<string, unknown>[] {
  if (!Array.isArray(value)) throw fault(path, "a list", value);
  return value.map((item: unknown, index) => {
    const entry = record(item, `${path}[${index}]`);
    typed("string")(entry["name"], `${path}[${index}].name`);
    return entry;
  });
}

function stringMap(value: unknown, path: string): void {
  for (const [key, text] of Object.entries(record(value, path))) {
    typed("string")(text, `${path}[${JSON.stringify(key)}]`);
  }
}

function stringList(value: unknown, path: string): void {
  if (!Array.isArray(value)) throw fault(path, "a list", value);
  for (const [index, text] of value.entries()) typed("string")(text, `${path}[${index}]`);
}

function typed(type: "string" | "number" | "boolean"): Check {
  return (value, path) => {
    if (typeof value !== type) throw fault(path, `a ${type}`, value);
  };
}

function fault(path: string, wanted: string, value: unknown): PodError {
  const found = value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
  return new PodError("pod_invalid", `Cannot read the pod: "${path}" is ${found}, not ${wanted}`, {
    next: `Correct "${path}" in the manifest`,
  });
}
