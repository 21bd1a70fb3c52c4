// The running mesh as the commands and the tour see it: what they ask of it, and nothing about how that is
// done. local-mesh.ts answers for the mesh on this machine, cluster-mesh.ts for one on Kubernetes; tests
// answer by themselves.
import { MeshError } from "#/lib/errors.ts";

/**
 * not_running: there is no mesh to ask. not_found: no such pod or object. ambiguous: more than one pod
 * has that name. failed: the mesh answered with an error. unreadable: it answered something else.
 */
export type MeshFault = "not_running" | "not_found" | "ambiguous" | "failed" | "unreadable";

export class MeshAccessError extends MeshError<MeshFault> {}

export interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly address: string;
  readonly serviceAccount: string;
  /** "Running", "Pending", ... as Kubernetes words it. */
  readonly phase: string;
  readonly isReady: boolean;
  /** It has a sidecar. */
  readonly isMeshed: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Where it runs, when that is told. */
  readonly node?: string;
  readonly uid?: string;
}

/** A Kubernetes object as JSON. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export interface Execution {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecuteOptions {
  /** The first container that is not the sidecar, by default. */
  readonly container?: string;
  /** Waits no longer; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Mesh {
  /** Where it is: "this machine", or the cluster's name. */
  readonly place: string;
  trustDomain(): Promise<string>;
  pods(): Promise<readonly Pod[]>;
  objects(kind: string): Promise<readonly KubernetesObject[]>;
  /** PEM of the roots that the mesh trusts, as it publishes them; null when it has not. */
  bundle(): Promise<string | null>;
  /** Creates or replaces; returns when the mesh has taken it, not when every pod runs. */
  apply(objects: readonly KubernetesObject[]): Promise<void>;
  remove(objects: readonly KubernetesObject[]): Promise<void>;
  execute(pod: Pod, command: readonly string[], options?: ExecuteOptions): Promise<Execution>;
  /** The last lines, some hundreds. */
  logs(pod: Pod, container: string | null): Promise<string>;
  /** Prometheus text of a pod's sidecar. */
  metrics(pod: Pod): Promise<string>;
  /** The read API of each controller that runs: a path under /v1/, with its query; the parsed JSON. */
  inspect(path: string): Promise<readonly unknown[]>;
  stopController(): Promise<void>;
  startController(): Promise<void>;
  /** The command that shows what a container wrote; null is the application's. */
  logsHint(pod: string, container: string | null): string;
}

/** "namespace/name". */
export function podName(pod: Pick<Pod, "namespace" | "name">): string {
  return `${pod.namespace}/${pod.name}`;
}

/**
 * The one pod that `text` means: "namespace/name", or parts of both from their beginnings, or a name
 * alone. Throws MeshAccessError with the names that would do.
 */
export function findPod(pods: readonly Pod[], text: string): Pod {
  const slash = text.indexOf("/");
  const namespace = slash < 0 ? null : text.slice(0, slash);
  const name = text.slice(slash + 1);
  const inNamespace = pods.filter((pod) => namespace === null || pod.namespace === namespace);
  const exact = inNamespace.filter((pod) => pod.name === name);
  const found = exact.length > 0 ? exact : inNamespace.filter((pod) => pod.name.startsWith(name));
  if (found.length === 1) return found[0]!;
  const list = (some: readonly Pod[]): string => some.map(podName).sort().join(", ");
  if (found.length === 0) {
    throw new MeshAccessError("not_found", `Cannot find the pod "${text}": no pod has that name`, {
      next:
        pods.length === 0 ? "There are none: start the mesh first" : `Name one of ${list(pods)}`,
    });
  }
  throw new MeshAccessError(
    "ambiguous",
    `Cannot tell which pod "${text}" is: ${found.length} have such a name`,
    { next: `Name one of ${list(found)}` },
  );
}

/** Throws MeshAccessError that names those there are. `action` as in "Cannot <action>". */
export async function needNamespace(mesh: Mesh, namespace: string, action: string): Promise<void> {
  const known = await namespacesOf(mesh);
  if (known.includes(namespace)) return;
  throw new MeshAccessError("not_found", `Cannot ${action} "${namespace}": no such namespace`, {
    next: `Name one of ${known.join(", ")}`,
  });
}

/** Their names, sorted. */
export async function namespacesOf(mesh: Mesh): Promise<readonly string[]> {
  return (await mesh.objects("Namespace")).map(({ metadata }) => metadata.name).sort();
}
