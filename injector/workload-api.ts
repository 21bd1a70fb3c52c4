// The SPIFFE Workload API in a pod that asks for it: a volume of the pod's own, in memory, on which the sidecar
// puts a Unix socket; and in each of its other containers that folder, which they cannot write to, and the
// variable by which every SPIFFE library finds it. Pure.
import type { PatchOperation } from "./apply-patch.ts";
import type { Container, EnvironmentVariable, Pod, Volume } from "./pod.ts";

export const workloadVolumeName = "signet-workload-api";
/** The one folder that the sidecar may write to: local/pod/images.ts and the Dockerfile say so, too. */
export const workloadDirectory = "/run/spiffe";
export const workloadSocketPath: string = `${workloadDirectory}/workload.sock`;
/** As the SPIFFE Workload Endpoint specification names it. */
const endpointVariable = "SPIFFE_ENDPOINT_SOCKET";
/** Of the sidecar: whom it serves. */
export const workloadUsersVariable = "SIGNET_WORKLOAD_USERS";
export const workloadSocketVariable = "SIGNET_WORKLOAD_SOCKET";

export const workloadVolume: Volume = {
  name: workloadVolumeName,
  emptyDir: { medium: "Memory", sizeLimit: "1Mi" },
};

type Mount = NonNullable<Container["volumeMounts"]>[number];

/** The sidecar's own. */
export const servingMount: Mount = { name: workloadVolumeName, mountPath: workloadDirectory };
/** Everybody else's: a socket that they cannot replace. */
const callingMount: Mount = { ...servingMount, readOnly: true };

/** For every container as it stands before the sidecar is added. */
export function shareWorkloadApi({ spec }: Pod): readonly PatchOperation[] {
  const patch: PatchOperation[] = [];
  for (const list of ["initContainers", "containers"] as const) {
    for (const [at, { volumeMounts, env }] of (spec[list] ?? []).entries()) {
      const path = `/spec/${list}/${at}`;
      patch.push(add(`${path}/volumeMounts`, volumeMounts, callingMount));
      const isSet = env?.some(({ name }) => name === endpointVariable) === true;
      if (!isSet) patch.push(add(`${path}/env`, env, endpoint));
    }
  }
  return patch;
}

const endpoint: EnvironmentVariable = {
  name: endpointVariable,
  value: `unix://${workloadSocketPath}`,
};

function add(path: string, present: readonly unknown[] | undefined, value: object): PatchOperation {
  // Kubernetes takes null for an absent list.
  return present ? { op: "add", path: `${path}/-`, value } : { op: "add", path, value: [value] };
}

/**
 * The users that `containers` run as, sorted; null when the pod's spec does not tell: a container without
 * one runs as its image says, and root may become anybody.
 */
export function workloadUsers(
  { spec }: Pod,
  containers: readonly Container[],
): readonly number[] | null {
  const users = new Set<number>();
  for (const { securityContext } of containers) {
    const user = securityContext?.runAsUser ?? spec.securityContext?.runAsUser ?? 0;
    if (user === 0) return null;
    users.add(user);
  }
  return [...users].sort((one, other) => one - other);
}

/** The name of a container that has something else where the socket's folder goes; null: none. */
export function holderOfPath(containers: readonly Container[]): string | null {
  const holder = containers.find(({ volumeMounts }) =>
    volumeMounts?.some(({ name, mountPath }) => {
      const path = `${mountPath.replace(/^\/var\/run(?=\/)/, "/run")}/`;
      const isThere = path.startsWith(`${workloadDirectory}/`);
      return isThere && name !== workloadVolumeName;
    }),
  );
  return holder?.name ?? null;
}

/** Whether the volume is mounted as the injector does it, and not so that the socket could be replaced. */
export function isCallingMount(mount: Mount): boolean {
  return mount.mountPath === workloadDirectory && mount.readOnly === true && !("subPath" in mount);
}
