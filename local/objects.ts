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
const clusterKinds = new Set(["Namespace", "CustomResourceDefinition"]);

/** What the runtime acts on or hands to the controller; anything else in a manifest is refused. */
export const knownKinds: ReadonlySet<string> = new Set([
  "Namespace",
  "ServiceAccount",
  "Pod",
  "Deployment",
  "Service",
  "ConfigMap",
  "EndpointSlice",
  "HTTPRoute",
  "PeerAuthentication",
]);

/** Tools for kubectl, nothing to run. */
export const passedOverKinds: ReadonlySet<string> = new Set([
  "Kustomization",
  "CustomResourceDefinition",
]);

/** "Kind/namespace/name", unique in the store. */
export function keyOf(object: Pick<KubernetesObject, "kind" | "metadata">): string {
  return keyFor(object.kind, object.metadata.namespace ?? "", object.metadata.name);
}

export function keyFor(kind: string, namespace: string, name: string): string {
  return `${kind}/${clusterKinds.has(kind) ? "" : namespace}/${name}`;
}

const namePattern = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Checks what every object must have; throws LocalError. `where` names the source in the message. */
export function readObject(value: unknown, where: string): KubernetesObject {
  const fail = (what: string): never => {
    throw new LocalError("manifest_invalid", `Cannot read ${where}: ${what}`, {
      next: "Correct the manifest and apply it again",
    });
  };
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail("not an object");
  const object = value as Record<string, unknown>;
  if (typeof object["apiVersion"] !== "string") fail("apiVersion is missing");
  if (typeof object["kind"] !== "string") fail("kind is missing");
  const metadata = object["metadata"] as Record<string, unknown> | undefined;
  if (typeof metadata !== "object" || metadata === null) return fail("metadata is missing");
  const { name, namespace } = metadata;
  if (typeof name !== "string" || !namePattern.test(name))
    fail(`metadata.name is ${JSON.stringify(name)}`);
  const kind = object["kind"] as string;
  if (namespace !== undefined && (typeof namespace !== "string" || !namePattern.test(namespace))) {
    fail(`metadata.namespace is ${JSON.stringify(namespace)}`);
  }
  if (!clusterKinds.has(kind) && namespace === undefined) {
    return {
      ...object,
      metadata: { ...metadata, namespace: "default" },
    } as unknown as KubernetesObject;
  }
  return object as unknown as KubernetesObject;
}
