// The change itself, as an RFC 6902 patch: additions, and probes that are turned to the sidecar, which
// is told what they were; nothing that the pod's author wrote is lost. proxy-init and the proxy come
// before every other init container: what those send is redirected and finds the proxy already there
// (attack case 32).
import { statusInjected, statusKey } from "./annotations.ts";
import type { PodOptions } from "./annotations.ts";
import { pointerToken } from "./apply-patch.ts";
import type { JsonPatch, PatchOperation } from "./apply-patch.ts";
import type { InjectorConfig } from "./config.ts";
import type { Container, Pod } from "./pod.ts";
import { relayProbes } from "./probes.ts";
import { buildSidecar } from "./sidecar.ts";
import { shareWorkloadApi } from "./workload-api.ts";

const defaultContainerKey = "kubectl.kubernetes.io/default-container";

/** Pure. For a pod and the options that `decide` answered "inject" with. */
export function buildPatch(pod: Pod, options: PodOptions, config: InjectorConfig): JsonPatch {
  const sidecar = buildSidecar(pod, options, config);
  const native = config.sidecarForm === "native";
  const init = native ? [sidecar.init, sidecar.proxy] : [sidecar.init];
  return [
    ...relayProbes(pod).patch,
    ...(options.workloadApi ? shareWorkloadApi(pod) : []),
    ...addFirst("/spec/initContainers", pod.spec.initContainers, init),
    ...(native ? [] : addFirst("/spec/containers", pod.spec.containers, [sidecar.proxy])),
    ...addLast("/spec/volumes", pod.spec.volumes, sidecar.volumes),
    ...annotate(pod, native),
  ];
}

function addFirst(
  path: string,
  present: readonly Container[] | undefined | null,
  added: readonly Container[],
): PatchOperation[] {
  if (!present) return [{ op: "add", path, value: added }];
  return added.map((value, index) => ({ op: "add", path: `${path}/${index}`, value }));
}

function addLast(
  path: string,
  present: readonly unknown[] | undefined | null,
  added: readonly unknown[],
): PatchOperation[] {
  if (!present) return [{ op: "add", path, value: added }];
  return added.map((value) => ({ op: "add", path: `${path}/-`, value }));
}

/** The classic form stands before the application, so `kubectl logs` is told whom people mean. */
function annotate(pod: Pod, native: boolean): PatchOperation[] {
  const present = pod.metadata.annotations;
  const application = pod.spec.containers[0]?.name;
  const added: Record<string, string> = { [statusKey]: statusInjected };
  if (!native && application !== undefined && present?.[defaultContainerKey] === undefined) {
    added[defaultContainerKey] = application;
  }
  if (!present) return [{ op: "add", path: "/metadata/annotations", value: added }];
  return Object.entries(added).map(([key, value]) => ({
    op: "add",
    path: `/metadata/annotations/${pointerToken(key)}`,
    value,
  }));
}
