// The containers of a workload's pods, each as `change` makes it; all else stays. Pure.
import type { KubernetesObject } from "../mesh.ts";

export type Loose = Readonly<Record<string, unknown>>;

export function mapContainers(
  object: KubernetesObject,
  change: (container: Loose) => Loose,
): KubernetesObject {
  return mapPodSpec(object, (podSpec) => ({
    ...podSpec,
    containers: (podSpec["containers"] as readonly Loose[]).map(change),
  }));
}

export function mapPodSpec(
  object: KubernetesObject,
  change: (podSpec: Loose) => Loose,
): KubernetesObject {
  const spec = object["spec"] as Loose;
  const template = spec["template"] as Loose;
  const podSpec = change(template["spec"] as Loose);
  return { ...object, spec: { ...spec, template: { ...template, spec: podSpec } } };
}
