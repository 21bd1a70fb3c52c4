// Services and the slices that list their endpoints, with the way back: from a pod or an address to
// the services that must be compiled again when it changes. Changed in place and owned by Mesh.
import type { EndpointSliceRecord, ServicePortRecord, ServiceRecord } from "#/cluster/events.ts";
import { keyOfMeta } from "#/cluster/events.ts";
import type { Protocol } from "#/api/discovery.ts";
import { Multimap } from "./multimap.ts";

/** In these the server speaks first, so detection by the client's first bytes would only wait. */
const serverFirstPorts: ReadonlySet<number> = new Set([
  25, 587, 3306, 4444, 5432, 6379, 9300, 11_211,
]);

export class Services {
  readonly #services = new Map<string, ServiceRecord>();
  readonly #slices = new Map<string, EndpointSliceRecord>();
  readonly #slicesOfService = new Multimap();
  /** pod or address -> slices that name it. */
  readonly #references = new Multimap();

  get(key: string): ServiceRecord | undefined {
    return this.#services.get(key);
  }

  get size(): number {
    return this.#services.size;
  }

  apply(service: ServiceRecord): void {
    this.#services.set(keyOfMeta(service.meta), service);
  }

  delete(key: string): void {
    this.#services.delete(key);
  }

  slicesOf(service: string): readonly EndpointSliceRecord[] {
    const keys = this.#slicesOfService.get(service).toSorted();
    return keys.flatMap((key) => this.#slices.get(key) ?? []);
  }

  /** Returns the services whose endpoints may have changed. */
  applySlice(slice: EndpointSliceRecord): readonly string[] {
    const key = keyOfMeta(slice.meta);
    const before = this.deleteSlice(key);
    this.#slices.set(key, slice);
    const service = serviceOfSlice(slice);
    this.#slicesOfService.add(service, key);
    for (const reference of referencesOf(slice)) this.#references.add(reference, key);
    return [...before, service];
  }

  deleteSlice(key: string): readonly string[] {
    const slice = this.#slices.get(key);
    if (slice === undefined) return [];
    const service = serviceOfSlice(slice);
    this.#slices.delete(key);
    this.#slicesOfService.remove(service, key);
    for (const reference of referencesOf(slice)) this.#references.remove(reference, key);
    return [service];
  }

  /** Services with an endpoint at this pod (by key) or at this address. */
  servicesAt(podOrAddress: string): readonly string[] {
    return this.#references.get(podOrAddress).flatMap((key) => {
      const slice = this.#slices.get(key);
      return slice === undefined ? [] : [serviceOfSlice(slice)];
    });
  }
}

/** "namespace/service:port". */
export function clusterName(service: string, port: number): string {
  return `${service}:${port}`;
}

/**
 * What the port says of itself wins (appProtocol, then the first word of its name); then the well
 * known ports of protocols in which the server speaks first; else the bytes decide. TLS of the
 * application's own is passed on unread.
 */
export function protocolOf({ name, port, targetPort, appProtocol }: ServicePortRecord): Protocol {
  const word = appProtocol ?? name.split("-")[0] ?? "";
  const declared = declaredProtocols.get(word.toLowerCase());
  if (declared !== undefined) return declared;
  const isServerFirst =
    serverFirstPorts.has(port) ||
    (typeof targetPort === "number" && serverFirstPorts.has(targetPort));
  return isServerFirst ? "tcp" : "detect";
}

const declaredProtocols: ReadonlyMap<string, Protocol> = new Map<string, Protocol>([
  ["http", "http"],
  ["http1", "http"],
  ["http2", "http"],
  ["h2c", "http"],
  ["grpc", "http"],
  ["grpc.web", "http"],
  ["kubernetes.io/h2c", "http"],
  ["kubernetes.io/ws", "http"],
  ["https", "tcp"],
  ["tls", "tcp"],
  ["kubernetes.io/wss", "tcp"],
  ["tcp", "tcp"],
  ["mongo", "tcp"],
  ["mysql", "tcp"],
  ["postgres", "tcp"],
  ["redis", "tcp"],
]);

function serviceOfSlice(slice: EndpointSliceRecord): string {
  return keyOfMeta({ namespace: slice.meta.namespace, name: slice.service });
}

function referencesOf(slice: EndpointSliceRecord): readonly string[] {
  return slice.endpoints.flatMap(({ addresses, pod }) =>
    pod === null ? [...addresses] : [...addresses, keyOfMeta(pod)],
  );
}
