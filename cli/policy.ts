// PeerAuthentication as `signet strict` reads and writes it. Pure. What a policy means for a pod is the
// controller's to say; here only what stands in the objects is described.
import { MeshAccessError } from "./mesh.ts";
import type { KubernetesObject } from "./mesh.ts";

export type StrictMode = "STRICT" | "PERMISSIVE";

export interface Policy {
  readonly namespace: string;
  readonly name: string;
  readonly mode: string | null;
  /** "app=app-b"; empty when all pods of the namespace are meant. */
  readonly selector: string;
  readonly ports: Readonly<Record<string, string>>;
}

export interface Strictness {
  readonly mode: string;
  /** The policy, or that there is none. */
  readonly decidedBy: string;
  /** Single ports and selected pods that differ. */
  readonly exceptions: readonly string[];
}

/** A policy without selector in this namespace holds in the whole mesh. */
export const MESH_NAMESPACE = "signet-system";
const NO_POLICY = "no policy";
const MODE_WITHOUT_POLICY = "PERMISSIVE";
const API_VERSION = "signet.dev/v1alpha1";

interface Spec {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly mtls?: { readonly mode?: string; readonly postQuantum?: string };
  readonly portLevelMtls?: Readonly<Record<string, { readonly mode?: string }>>;
}

/** The namespace's own policy, saying nothing but the mode. */
export function strictPolicy(namespace: string, mode: StrictMode): KubernetesObject {
  return {
    apiVersion: API_VERSION,
    kind: "PeerAuthentication",
    metadata: { name: "default", namespace },
    spec: { mtls: { mode } },
  };
}

/**
 * The policy that is there with another mode; single ports keep theirs. Throws when it is meant for
 * some pods only, since another mode would not be the namespace's then, and when it demands post-quantum
 * key agreement, which plaintext has none of.
 */
export function withMode(
  present: KubernetesObject | null,
  namespace: string,
  mode: StrictMode,
): KubernetesObject {
  if (present === null) return strictPolicy(namespace, mode);
  const spec = (present["spec"] ?? {}) as Spec;
  if (Object.keys(spec.selector?.matchLabels ?? {}).length > 0) {
    throw new MeshAccessError(
      "failed",
      `Cannot set the mode of "${namespace}": its policy "default" is meant for some pods only`,
      { next: "Give that policy another name, then try again" },
    );
  }
  if (mode !== "STRICT" && spec.mtls?.postQuantum === "REQUIRE") {
    throw new MeshAccessError(
      "failed",
      `Cannot permit plaintext in "${namespace}": its policy "default" demands post-quantum keys`,
      { next: "Set its mtls.postQuantum to PREFER first" },
    );
  }
  const { metadata } = strictPolicy(namespace, mode);
  const labels = present.metadata.labels;
  return {
    apiVersion: API_VERSION,
    kind: "PeerAuthentication",
    metadata: labels === undefined ? metadata : { ...metadata, labels },
    spec: { ...spec, mtls: { ...spec.mtls, mode } },
  };
}

/** It says nothing that holds without it as well: single ports, pods, keys, the name of a team. */
export function saysOnlyTheMode({ metadata, ...object }: KubernetesObject): boolean {
  const spec = (object["spec"] ?? {}) as Spec;
  const fields = [...Object.keys(spec), ...Object.keys(spec.mtls ?? {})];
  const isMode = fields.every((field) => field === "mtls" || field === "mode");
  return isMode && Object.keys(metadata.labels ?? {}).length === 0;
}

export function readPolicies(objects: readonly KubernetesObject[]): readonly Policy[] {
  return objects.map(({ metadata, ...object }) => {
    const spec = (object["spec"] ?? {}) as Spec;
    const labels = Object.entries(spec.selector?.matchLabels ?? {});
    const ports = Object.entries(spec.portLevelMtls ?? {});
    return {
      namespace: metadata.namespace ?? "default",
      name: metadata.name,
      mode: spec.mtls?.mode ?? null,
      selector: labels.map(([name, value]) => `${name}=${value}`).join(","),
      ports: Object.fromEntries(ports.map(([port, { mode }]) => [port, mode ?? ""])),
    };
  });
}

/** Which of the namespaces have no mode of their own: what is said for the whole mesh holds in them. */
export function withoutOwnMode(
  policies: readonly Policy[],
  namespaces: readonly string[],
): readonly string[] {
  return namespaces.filter(
    (namespace) =>
      namespace !== MESH_NAMESPACE &&
      describeStrictness(
        policies.filter((policy) => policy.namespace === namespace),
        namespace,
      ).decidedBy === NO_POLICY,
  );
}

/** A namespace's mode: its own policy, else the one of the whole mesh, else none. */
export function describeStrictness(policies: readonly Policy[], namespace: string): Strictness {
  const whole = (of: string): Policy | undefined =>
    policies.find(
      (policy) => policy.namespace === of && policy.selector === "" && policy.mode !== null,
    );
  const deciding = whole(namespace) ?? whole(MESH_NAMESPACE);
  const own = policies.filter((policy) => policy.namespace === namespace);
  const exceptions = own.flatMap(exceptionsOf);
  return {
    mode: deciding?.mode ?? MODE_WITHOUT_POLICY,
    decidedBy: deciding === undefined ? NO_POLICY : `${deciding.namespace}/${deciding.name}`,
    exceptions,
  };
}

function exceptionsOf({ name, mode, selector, ports }: Policy): string[] {
  const list = Object.entries(ports).map(([port, portMode]) => `port ${port} ${portMode}`);
  if (selector !== "" && mode !== null) list.unshift(`${selector} ${mode} (${name})`);
  return list;
}
