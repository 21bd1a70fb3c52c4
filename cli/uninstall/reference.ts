// Which object of an API server is meant. Pure.
import { objectPath } from "#/cluster/kubernetes/resources.ts";
import type { KubernetesObject } from "../mesh.ts";

export interface Reference {
  readonly kind: string;
  /** "" for kinds that live in no namespace. */
  readonly namespace: string;
  readonly name: string;
  /** From the root of the API. */
  readonly path: string;
}

/** Throws KubernetesError for a kind that no table has. */
export function referenceTo(
  kind: string,
  { metadata }: Pick<KubernetesObject, "metadata">,
): Reference {
  const { name, namespace = "" } = metadata;
  return { kind, namespace, name, path: objectPath({ kind, namespace, name }) };
}

/** "Deployment signet-system/signet-injector". */
export function referenceText({ kind, namespace, name }: Reference): string {
  return `${kind} ${namespace === "" ? "" : `${namespace}/`}${name}`;
}
