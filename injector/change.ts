// What may not change in a pod that has its sidecar. Kubernetes lets images be changed in place and
// containers be added for debugging; labels and annotations are free. Pure.
import type { Container, Pod } from "./pod.ts";
import { proxyInitName, proxyName, proxyUid, tokenVolumeName, trustVolumeName } from "./sidecar.ts";
import { workloadVolumeName } from "./workload-api.ts";

const podLabel = "service-mesh";
const ownPrefix = "signet.dev/";
const reservedNames: ReadonlySet<string> = new Set([proxyInitName, proxyName]);
const reservedVolumes: ReadonlySet<string> = new Set([
  tokenVolumeName,
  trustVolumeName,
  workloadVolumeName,
]);

/** What of the sidecar would change, in words; null: nothing. */
export function changeOfSidecar(before: Pod, after: Pod): string | null {
  const wish = differing(wishesOf(before), wishesOf(after));
  if (wish !== null) return `${wish} is read when a pod is made, and its sidecar is there already`;
  const image = differing(imagesOf(before), imagesOf(after));
  if (image !== null) return `container "${image}" is the mesh's own`;
  for (const container of after.spec.ephemeralContainers ?? []) {
    const fault = faultOf(container);
    if (fault !== null) return `container "${container.name}" ${fault}`;
  }
  return null;
}

function faultOf({ name, securityContext, volumeMounts = [] }: Container): string | null {
  if (reservedNames.has(name)) return "has a name of the mesh's own";
  if (securityContext?.runAsUser === proxyUid) {
    return `runs as user ${proxyUid}, which the rules exempt`;
  }
  const mount = volumeMounts.find((each) => reservedVolumes.has(each.name));
  return mount === undefined ? null : `mounts "${mount.name}", which holds the pod's identity`;
}

/** Everything that a pod says of its sidecar. */
function wishesOf({ metadata }: Pod): ReadonlyMap<string, string> {
  const wishes = new Map<string, string>();
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    if (key.startsWith(ownPrefix)) wishes.set(`annotation "${key}"`, value);
  }
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    if (key.startsWith(ownPrefix) || key === podLabel) wishes.set(`label "${key}"`, value);
  }
  return wishes;
}

function imagesOf({ spec }: Pod): ReadonlyMap<string, string> {
  return new Map(
    [...(spec.initContainers ?? []), ...spec.containers]
      .filter(({ name }) => reservedNames.has(name))
      .map(({ name, image = "" }) => [name, image]),
  );
}

function differing(
  one: ReadonlyMap<string, string>,
  other: ReadonlyMap<string, string>,
): string | null {
  for (const key of [...one.keys(), ...other.keys()]) {
    if (one.get(key) !== other.get(key)) return key;
  }
  return null;
}
