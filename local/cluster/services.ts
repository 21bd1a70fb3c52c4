// What follows from Services and pods: addresses, endpoint slices, the node's rules, DNS answers. Pure
// but for the addresses given out.
import { serviceNameLabel } from "../manifest/schema-slice.ts";
import {
  endpointSliceOf,
  isDerived,
  isReady,
  selects,
  servicePorts,
  statusOf,
  targetPortOf,
} from "./derive.ts";
import { clusterAddress, clusterDomain, servicesMax } from "../names.ts";
import type { ServiceBackend } from "../network.ts";
import { LocalError, keyFor, keyOf } from "../objects.ts";
import type { KubernetesObject, Labels } from "../objects.ts";
import type { Store } from "../store.ts";

/** Gives each Service an address, the same one each time it is asked. */
export class ClusterAddresses {
  readonly #byService = new Map<string, string>();

  /** Throws LocalError when there is none left, or when the manifest asks for one. */
  assign(service: KubernetesObject): KubernetesObject {
    const wanted = service.spec?.["clusterIP"];
    if (wanted === "None") return service;
    const key = keyOf(service);
    const address = this.#byService.get(key) ?? this.#next();
    if (wanted !== undefined && wanted !== address) {
      throw new LocalError(
        "not_possible_here",
        `Cannot give Service "${service.metadata.name}" the address ${JSON.stringify(wanted)}`,
        { next: 'Leave "clusterIP" out, or write None for a headless Service' },
      );
    }
    this.#byService.set(key, address);
    return { ...service, spec: { ...service.spec, clusterIP: address, clusterIPs: [address] } };
  }

  #next(): string {
    if (this.#byService.size < servicesMax) return clusterAddress(this.#byService.size);
    throw new LocalError(
      "not_possible_here",
      `Cannot add a Service: ${servicesMax} is the limit without a cluster`,
    );
  }
}

/** Pods that a Service selects. */
function membersOf(
  service: KubernetesObject,
  pods: readonly KubernetesObject[],
): readonly KubernetesObject[] {
  const selector = service.spec?.["selector"] as Labels | undefined;
  return pods.filter(
    (pod) =>
      pod.metadata.namespace === service.metadata.namespace &&
      selects(selector, pod.metadata.labels),
  );
}

/** A Service stands for its pods: they are called. Deployments and Pods alike. */
export function isCalled(
  workload: KubernetesObject,
  services: readonly KubernetesObject[],
): boolean {
  const template = workload.spec?.["template"] as { metadata?: { labels?: Labels } } | undefined;
  const { namespace, labels: own } = workload.metadata;
  const labels = workload.kind === "Deployment" ? template?.metadata?.labels : own;
  return services.some(
    ({ metadata, spec }) =>
      metadata.namespace === namespace && selects(spec?.["selector"] as Labels | undefined, labels),
  );
}

/** Makes the slices follow; those of Services that are gone go, too. */
export function putSlices(store: Store): void {
  const pods = store.list("Pod");
  const slices = store.list("Service").map((service) => endpointSliceOf(service, pods));
  const keys = new Set(slices.map(keyOf));
  for (const old of store.list("EndpointSlice")) {
    if (isDerived(old) && !keys.has(keyOf(old))) store.delete(keyOf(old));
  }
  for (const slice of slices) store.put(slice);
}

/** Where each port of each Service that has an address goes now. */
export function backendsOf(store: Store): readonly ServiceBackend[] {
  const pods = store.list("Pod");
  return store.list("Service").flatMap((service) => {
    const address = service.spec?.["clusterIP"] as string;
    if (address === "None") return [];
    const ready = membersOf(service, pods).filter(isReady);
    const name = `${service.metadata.namespace}/${service.metadata.name}`;
    return servicePorts(service).map((port) => {
      const backends = ready.flatMap((pod) => {
        const { podIP } = statusOf(pod);
        const target = targetPortOf(port, pod);
        return podIP === undefined || target === null ? [] : [{ address: podIP, port: target }];
      });
      const outside = slicesOf(store, service).flatMap((slice) => outsideOf(slice, port.name));
      return { service: name, address, port: port.port, backends: [...backends, ...outside] };
    });
  });
}

/** Those that somebody wrote. */
function slicesOf(store: Store, { metadata }: KubernetesObject): readonly KubernetesObject[] {
  return store
    .list("EndpointSlice")
    .filter(
      (slice) =>
        !isDerived(slice) &&
        slice.metadata.namespace === metadata.namespace &&
        slice.metadata.labels?.[serviceNameLabel] === metadata.name,
    );
}

interface WrittenSlice {
  readonly ports: readonly { readonly name?: string; readonly port: number }[];
  readonly endpoints: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: { readonly ready?: boolean };
  }[];
}

function outsideOf(
  slice: KubernetesObject,
  portName: string | undefined,
): readonly { readonly address: string; readonly port: number }[] {
  const { ports, endpoints } = slice as unknown as WrittenSlice;
  const target = ports.find(({ name = "" }) => name === (portName ?? ""));
  if (target === undefined) return [];
  return endpoints
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses }) => addresses.map((address) => ({ address, port: target.port })));
}

/** Addresses of a DNS name below the cluster's domain; null: no such name. */
export function resolveName(store: Store, name: string): readonly string[] | null {
  const match = /^([^.]+)\.([^.]+)\.svc\.(.+)$/.exec(name);
  if (match === null || match[3] !== clusterDomain) return null;
  const service = store.get(keyFor("Service", match[2] ?? "", match[1] ?? ""));
  if (service === undefined) return null;
  const address = service.spec?.["clusterIP"] as string;
  if (address !== "None") return [address];
  return membersOf(service, store.list("Pod"))
    .filter(isReady)
    .flatMap((pod) => statusOf(pod).podIP ?? []);
}
