// Inject, skip or refuse: decided from the pod, its namespace's labels and the mesh's configuration
// alone. Guards stand in the order in which they matter; each refusal says what to change.
//
// What a pod says of itself is believed only where it takes nothing from anybody: it may opt out (and
// is then a stranger to strict namespaces), but the marker annotation alone makes it nobody's sidecar.
import { AnnotationError, injectKey, readAnnotations, workloadApiKey } from "./annotations.ts";
import type { AnnotationErrorCode, PodOptions } from "./annotations.ts";
import type { InjectorConfig } from "./config.ts";
import { sidecarState } from "./genuine.ts";
import { podName } from "./pod.ts";
import type { Container, Labels, Pod } from "./pod.ts";
import { buildSidecar, ownContainers, proxyInitName, proxyName, proxyUid } from "./sidecar.ts";
import { holderOfPath, workloadDirectory } from "./workload-api.ts";

export interface DecideInput {
  readonly pod: Pod;
  /** From the admission request: a pod's own metadata.namespace may still be empty. */
  readonly namespace: string;
  readonly namespaceLabels: Labels;
  readonly config: InjectorConfig;
}

type SkipReason =
  | "system_namespace"
  | "mirror_pod"
  | "not_asked"
  | "opted_out"
  | "already_injected";

type RefuseReason =
  | "inject_value_unknown"
  | "asked_and_opted_out"
  | "os_unsupported"
  | "host_network"
  | AnnotationErrorCode
  | "sidecar_not_genuine"
  | "workload_path_taken"
  | "reserved_user";

/** `message` is one sentence for a person; `next` says what to change; `warnings` are admission warnings. */
export type Decision =
  | {
      readonly kind: "inject";
      readonly options: PodOptions;
      readonly warnings: readonly string[];
    }
  | { readonly kind: "skip"; readonly reason: SkipReason; readonly message: string }
  | {
      readonly kind: "refuse";
      readonly reason: RefuseReason;
      readonly message: string;
      readonly next: string;
    };

/** Never injected: the mesh must not stand in the way of what it stands on (attack case 34). */
const systemNamespaces: ReadonlySet<string> = new Set([
  "kube-system",
  "kube-public",
  "kube-node-lease",
  "signet-system",
]);

const podLabel = "service-mesh";
const mirrorAnnotation = "kubernetes.io/config.mirror";

/** With any of these a container can undo the redirect, or read the sidecar's memory. */
const strongCapabilities: ReadonlySet<string> = new Set([
  "ALL",
  "NET_ADMIN",
  "SYS_ADMIN",
  "SYS_PTRACE",
  "SETUID",
]);

/** Pure. Never throws for a pod that `readPod` let through. */
export function decide(input: DecideInput): Decision {
  const { pod, namespace, namespaceLabels, config } = input;
  if (systemNamespaces.has(namespace)) {
    return skip("system_namespace", `Namespace "${namespace}" is never injected`);
  }
  if (pod.metadata.annotations?.[mirrorAnnotation] !== undefined) {
    return skip("mirror_pod", "A static pod is kubelet's own and cannot be changed");
  }
  const wish = readWish(pod, namespaceLabels);
  if (wish.kind !== "wanted") return wish;
  if (pod.spec.os !== undefined && pod.spec.os.name !== "linux") {
    const message = refusal(pod, `its operating system is "${pod.spec.os.name}"`);
    return refuse("os_unsupported", message, "Opt the pod out: only Linux pods can be redirected");
  }
  if (pod.spec.hostNetwork === true) {
    return refuse(
      "host_network",
      refusal(pod, "it uses the host network, where the rules would redirect the whole node"),
      `Remove "hostNetwork", or set "${injectKey}: disabled" to run it outside the mesh`,
    );
  }
  const options = readOptions(pod, config);
  if (options instanceof AnnotationError) {
    return refuse(options.code, refusal(pod, lowerFirst(options.message)), options.next);
  }
  const { sidecarForm, formerFingerprints } = config;
  const built = buildSidecar(pod, options, config);
  const state = sidecarState(pod, built, sidecarForm, formerFingerprints);
  if (state.kind === "foreign") {
    const message = refusal(pod, `names reserved for the sidecar are taken: ${state.detail}`);
    const next = `Remove containers "${proxyInitName}" and "${proxyName}" and the signet- volumes`;
    return refuse("sidecar_not_genuine", message, `${next}; the injector adds its own`);
  }
  const taken = reservedUserHolder(pod, state.kind === "genuine");
  if (taken !== null) {
    const message = refusal(pod, `${taken} runs as user ${proxyUid}, which the rules exempt`);
    return refuse("reserved_user", message, `Choose another user than ${proxyUid}`);
  }
  const holder = options.workloadApi ? holderOfPath(ownContainers(pod)) : null;
  if (holder !== null) {
    const where = `container "${holder}" has something else at "${workloadDirectory}"`;
    const message = refusal(pod, `${where}, where the Workload API's socket goes`);
    const next = `Mount it elsewhere, or take the annotation "${workloadApiKey}" away`;
    return refuse("workload_path_taken", message, next);
  }
  if (state.kind === "genuine") {
    return skip("already_injected", "The sidecar is there and genuine");
  }
  return { kind: "inject", options, warnings: warningsFor(pod) };
}

type Wish = { readonly kind: "wanted" } | Exclude<Decision, { kind: "inject" }>;

function readWish(pod: Pod, namespaceLabels: Labels): Wish {
  const said = [pod.metadata.labels?.[injectKey], pod.metadata.annotations?.[injectKey]].filter(
    (value) => value !== undefined,
  );
  const unknown = said.find((value) => value !== "enabled" && value !== "disabled");
  if (unknown !== undefined) {
    const message = refusal(pod, `"${injectKey}" has the unknown value "${unknown.slice(0, 63)}"`);
    return refuse("inject_value_unknown", message, `Write "enabled" or "disabled"`);
  }
  const out = said.includes("disabled");
  const asked = said.includes("enabled") || pod.metadata.labels?.[podLabel] === "enabled";
  if (out && asked) {
    const message = refusal(pod, "it asks for a sidecar and opts out of it at the same time");
    return refuse("asked_and_opted_out", message, `Keep either the request or the opt-out`);
  }
  if (out) return skip("opted_out", `The pod sets "${injectKey}: disabled"`);
  if (!asked && namespaceLabels[injectKey] !== "enabled") {
    return skip("not_asked", `Neither namespace nor pod asks for a sidecar`);
  }
  return { kind: "wanted" };
}

function readOptions(pod: Pod, config: InjectorConfig): PodOptions | AnnotationError {
  try {
    return readAnnotations(pod.metadata.annotations ?? {}, config.excludablePorts);
  } catch (error) {
    if (error instanceof AnnotationError) return error;
    throw error;
  }
}

/** Attack case 30. Root can still become this user; that is told as a warning, not promised away. */
function reservedUserHolder(pod: Pod, hasSidecar: boolean): string | null {
  if (pod.spec.securityContext?.runAsUser === proxyUid) return "the pod";
  const holder = userContainers(pod, hasSidecar).find(
    (container) => container.securityContext?.runAsUser === proxyUid,
  );
  return holder === undefined ? null : `container "${holder.name}"`;
}

function userContainers(pod: Pod, hasSidecar: boolean): Container[] {
  const { initContainers = [], containers, ephemeralContainers = [] } = pod.spec;
  return [...initContainers, ...containers, ...ephemeralContainers].filter(
    ({ name }) => !(hasSidecar && (name === proxyName || name === proxyInitName)),
  );
}

function warningsFor(pod: Pod): string[] {
  const warnings: string[] = [];
  const { shareProcessNamespace, hostPID } = pod.spec;
  if (shareProcessNamespace === true || hostPID === true) {
    warnings.push("Processes are shared: a root container could read the sidecar's private key");
  }
  for (const { name, securityContext } of userContainers(pod, false)) {
    const strong = (securityContext?.capabilities?.add ?? [])
      .map((capability) => capability.replace(/^CAP_/, ""))
      .filter((capability) => strongCapabilities.has(capability));
    if (securityContext?.privileged === true) {
      warnings.push(`Container "${name}" is privileged: it could undo its own redirect`);
    } else if (strong.length > 0) {
      warnings.push(
        `Container "${name}" has ${strong.join(", ")}: it could bypass its own redirect`,
      );
    } else if (securityContext?.runAsUser === 0) {
      warnings.push(`Container "${name}" runs as root: it could become user ${proxyUid}`);
    }
  }
  return warnings;
}

function refusal(pod: Pod, state: string): string {
  return `Cannot inject pod "${podName(pod)}": ${state}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function skip(reason: SkipReason, message: string): Decision & { kind: "skip" } {
  return { kind: "skip", reason, message };
}

function refuse(
  reason: RefuseReason,
  message: string,
  next: string,
): Decision & { kind: "refuse" } {
  return { kind: "refuse", reason, message, next };
}
