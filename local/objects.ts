// Kubernetes objects as far as the local runtime reads them. Unknown fields are kept and passed on.
import { MeshError } from "#/lib/errors.ts";

export type LocalErrorCode =
  | "manifest_invalid"
  | "object_invalid"
  | "not_found"
  | "not_possible_here"
  | "already_running"
  | "not_running"
  | "step_failed";

export class LocalError extends MeshError<LocalErrorCode> {}

export type Labels = Readonly<Record<string, string>>;

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels?: Labels;
  readonly annotations?: Labels;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly [field: string]: unknown;
}

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** Kinds that live in no namespace. */
const clusterKinds = new Set([
  "Namespace",
  "CustomResourceDefinition",
  "IdentitySuspension",
  "FederatedTrustDomain",
]);

export function isClusterWide(kind: string): boolean {
  return clusterKinds.has(kind);
}

/** "Kind/namespace/name", unique in the store. */
export function keyOf(object: Pick<KubernetesObject, "kind" | "metadata">): string {
  return keyFor(object.kind, object.metadata.namespace ?? "", object.metadata.name);
}

export function keyFor(kind: string, namespace: string, name: string): string {
  return `${kind}/${clusterKinds.has(kind) ? "" : namespace}/${name}`;
}
