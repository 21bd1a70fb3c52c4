// What the CA asks of the index when it attests a pod.
import type { WorkloadDirectory } from "#/ca/attest.ts";
import type { Suspensions } from "../index/suspensions.ts";
import type { Workloads } from "../index/workloads.ts";
import { isLive } from "../index/workloads.ts";

export interface DirectoryParts {
  readonly workloads: Pick<Workloads, "get">;
  readonly suspensions: Pick<Suspensions, "has">;
}

/** Pods and suspensions as the index knows them at the moment of asking. */
export function workloadDirectory({ workloads, suspensions }: DirectoryParts): WorkloadDirectory {
  return {
    isSuspended: (id) => suspensions.has(id),
    pod(namespace, name) {
      const pod = workloads.get(`${namespace}/${name}`);
      if (pod === undefined || pod.meta.namespace !== namespace) return null;
      const { meta, serviceAccount } = pod;
      // The node's address is everybody's on that node: it tells nobody from another.
      const addresses = pod.hostNetwork ? [] : pod.addresses;
      return { uid: meta.uid, serviceAccount, node: pod.node, addresses, isLive: isLive(pod) };
    },
  };
}
