// What an API server does to a person at the command line: the same faults as the mesh's own processes
// meet, with what a person can do about them.
import { KubernetesError } from "#/cluster/kubernetes/kubernetes-error.ts";
import { MeshAccessError } from "./mesh.ts";

/** Anything else comes back as it is. */
export function clusterFault(thrown: unknown): unknown {
  if (!(thrown instanceof KubernetesError)) return thrown;
  const told = (next: string): MeshAccessError =>
    new MeshAccessError("failed", thrown.message, { next, cause: thrown });
  switch (thrown.code) {
    case "unavailable":
      return told("See that the cluster answers: kubectl cluster-info");
    case "denied":
      return told("Use a context that may do this; what yours may: kubectl auth can-i --list");
    case "not_found":
    case "expired":
    case "conflict":
      return told("Run it again: somebody changed it meanwhile");
    case "rejected":
    case "unreadable":
    case "misconfigured":
      return thrown;
    default:
      return thrown.code satisfies never;
  }
}

/** null for what is not there, and for a kind that the API server does not know. */
export async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (thrown) {
    if (thrown instanceof KubernetesError && thrown.code === "not_found") return null;
    throw thrown;
  }
}
