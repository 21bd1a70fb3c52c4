// The outbound view of a snapshot, compiled for look-up: from a connection's original destination to
// what it means. Ports and clusters are objects that live on across snapshots and whose content is
// swapped whole, so that open connections route by the newest weights.
//
// Snapshots share what did not change, by object: only what is another object than before is compiled
// again, so that the cost of a change is that of the change and not of the mesh (bench/micro).
import type { Cluster, Endpoint, Protocol, Service, ServicePort } from "#/api/discovery.ts";
import type { Suspended } from "#/api/discovery.ts";
import type { Snapshot } from "#/api/snapshot.ts";
import { trustDomainOf } from "#/identity/spiffe-id.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { isLoopback } from "#/lib/ip.ts";
import type { Destination } from "../net/original-destination.ts";
import { Claims } from "./claims.ts";
import { EndpointStates } from "./endpoint.ts";
import type { ClusterState, EndpointState } from "./endpoint.ts";
import { ClusterFamilies, familyOf } from "./families.ts";
import type { Family } from "./families.ts";
import { compileRoute } from "./route.ts";
import type { CompiledRoute } from "./route.ts";

export interface PortState {
  /** "namespace/name". */
  readonly service: string;
  readonly port: number;
  protocol: Protocol;
  /** Empty when the service is gone. */
  routes: readonly CompiledRoute[];
}

interface ServiceAddress {
  readonly kind: "service";
  readonly port: PortState;
}

interface EndpointAddress {
  readonly kind: "endpoint";
  readonly cluster: ClusterState;
  readonly endpoint: EndpointState;
  readonly protocol: Protocol;
}

export type Resolved =
  /** A service's address: routed, balanced, retried. */
  | ServiceAddress
  /** A pod addressed directly (headless service, StatefulSet): that one endpoint. */
  | EndpointAddress
  /** This very pod. */
  | { readonly kind: "self" }
  /** Not of the mesh: passed on untouched. */
  | { readonly kind: "passthrough" }
  | {
      readonly kind: "refused";
      readonly reason: "no_snapshot" | "own_port" | "loopback" | "unspecified";
    };

const self: Resolved = { kind: "self" };
const passthrough: Resolved = { kind: "passthrough" };
const noSnapshot: Resolved = { kind: "refused", reason: "no_snapshot" };
const ownPort: Resolved = { kind: "refused", reason: "own_port" };
const loopback: Resolved = { kind: "refused", reason: "loopback" };
const unspecified: Resolved = { kind: "refused", reason: "unspecified" };

interface ClusterEntry {
  readonly families: ClusterFamilies;
  /** null: named by a route only, so far. */
  source: Cluster | null;
  addresses: readonly EndpointAddress[];
}

type PortAddresses = ReadonlyMap<number, ServiceAddress>;

interface ServiceEntry {
  readonly source: Service;
  /** Of each family in which the service has an address. */
  readonly ports: ReadonlyMap<Family, PortAddresses>;
}

const noPorts: PortAddresses = new Map();
const nobody: Suspended = new Set();

export class RouteTable {
  readonly #ownAddresses: ReadonlySet<string>;
  readonly #ownPorts: ReadonlySet<number>;
  readonly #trustDomain: TrustDomain;
  readonly #states: EndpointStates;
  readonly #clusters = new Map<string, ClusterEntry>();
  readonly #services = new Map<string, ServiceEntry>();
  readonly #byService = new Claims<ServiceAddress>(byName);
  readonly #byEndpoint = new Claims<EndpointAddress>(byProof);
  #suspended: Suspended = nobody;
  #synced = false;

  constructor(
    ownAddresses: readonly string[],
    ownPorts: readonly number[],
    trustDomain: TrustDomain,
  ) {
    this.#trustDomain = trustDomain;
    this.#ownAddresses = new Set(ownAddresses);
    this.#ownPorts = new Set(ownPorts);
    this.#states = new EndpointStates(ownAddresses);
  }

  /** What a connection to `destination` means. */
  resolve(destination: Destination): Resolved {
    const { address, port } = destination;
    // The kernel takes these for this host: they would be a way around the line below (attack case 28).
    if (isUnspecified(address)) return unspecified;
    if (isLoopback(address)) return this.#ownPorts.has(port) ? ownPort : loopback;
    if (this.#ownAddresses.has(address)) return this.#ownPorts.has(port) ? ownPort : self;
    if (!this.#synced) return noSnapshot;
    const key = `${address}|${port}`;
    // The service first: endpoints that somebody puts at its address must not stand in for it.
    return this.#byService.get(key) ?? this.#byEndpoint.get(key) ?? passthrough;
  }

  /** Takes a new snapshot over, whole. Returns the endpoints that it names. */
  update(snapshot: Snapshot): ReadonlySet<EndpointState> {
    const { clusters, services } = snapshot;
    const suspended = snapshot.suspended ?? nobody;
    const turned =
      suspended === this.#suspended ? nobody : suspended.symmetricDifference(this.#suspended);
    this.#suspended = suspended;
    for (const cluster of clusters.values()) {
      const entry = this.#cluster(cluster.name);
      if (entry.source !== cluster || concerns(turned, cluster)) this.#setCluster(entry, cluster);
    }
    for (const service of services.values()) {
      const entry = this.#services.get(service.name);
      if (entry?.source !== service) this.#setService(service, entry);
    }
    if (this.#services.size > services.size) {
      for (const [name, entry] of this.#services) {
        if (!services.has(name)) this.#removeService(name, entry);
      }
    }
    if (this.#clusters.size > clusters.size) {
      for (const [name, entry] of this.#clusters) {
        if (clusters.has(name)) continue;
        this.#setCluster(entry, null);
        this.#clusters.delete(name);
      }
    }
    this.#synced = snapshot.synced;
    return this.#states.live;
  }

  #setCluster(entry: ClusterEntry, cluster: Cluster | null): void {
    const { families, addresses: previous } = entry;
    const endpoints = (cluster?.endpoints ?? []).filter((each) => this.#isDiallable(each));
    // First the new ones: what stays must not be forgotten in between.
    const addresses = endpoints.map((each): EndpointAddress => {
      const endpoint = this.#states.acquire(each);
      const state = families[familyOf(endpoint.address)];
      return { kind: "endpoint", cluster: state, endpoint, protocol: cluster!.protocol };
    });
    for (const address of previous) {
      this.#byEndpoint.remove(addressKey(address.endpoint), address);
      this.#states.release(address.endpoint);
    }
    for (const address of addresses) {
      if (this.#isReachedByAddress(address.endpoint)) {
        this.#byEndpoint.add(addressKey(address.endpoint), address);
      }
    }
    entry.source = cluster;
    entry.addresses = addresses;
    families.set(this.#pickable(addresses.map(({ endpoint }) => endpoint)));
  }

  /**
   * Requests go to those who may be spoken with. Where nobody is left the suspended ones stay: whoever is
   * sent there is refused by that name, and not told that nobody is there.
   */
  #pickable(endpoints: readonly EndpointState[]): readonly EndpointState[] {
    const open = endpoints.filter(({ identity }) => !this.#isSuspended(identity));
    return open.length === 0 ? endpoints : open;
  }

  #isSuspended(identity: EndpointState["identity"]): boolean {
    return identity !== null && this.#suspended.has(identity);
  }

  /**
   * One of another trust domain is reached by the Service that declares it alone: its address is anybody's, and
   * no namespace may say of it to all others whom they have to find there.
   */
  #isReachedByAddress({ identity }: EndpointState): boolean {
    return identity === null || trustDomainOf(identity) === this.#trustDomain;
  }

  /** An endpoint must not lead back into this sidecar, whoever wrote it down (attack case 28). */
  #isDiallable({ address, port }: Endpoint): boolean {
    if (isLoopback(address) || isUnspecified(address)) return false;
    return !(this.#ownAddresses.has(address) && this.#ownPorts.has(port));
  }

  #setService(service: Service, previous: ServiceEntry | undefined): void {
    const families = new Map<Family, PortAddresses>();
    for (const family of new Set(service.addresses.map(familyOf))) {
      const there = previous?.ports.get(family);
      const ports = service.ports.map((port) => {
        const address = this.#compilePort(service.name, port, family, there?.get(port.port));
        return [port.port, address] as const;
      });
      families.set(family, new Map(ports));
    }
    if (previous !== undefined) this.#forgetPorts(previous, families);
    for (const address of service.addresses) {
      for (const [port, state] of families.get(familyOf(address)) ?? noPorts) {
        this.#byService.add(`${address}|${port}`, state);
      }
    }
    this.#services.set(service.name, { source: service, ports: families });
  }

  #removeService(name: string, entry: ServiceEntry): void {
    this.#forgetPorts(entry, new Map());
    this.#services.delete(name);
  }

  /** Takes the addresses away, and the routes of the ports that are not `kept`. */
  #forgetPorts({ source, ports }: ServiceEntry, kept: ServiceEntry["ports"]): void {
    for (const [family, states] of ports) {
      for (const [port, state] of states) {
        if (kept.get(family)?.has(port) !== true) state.port.routes = [];
      }
    }
    for (const address of source.addresses) {
      for (const [port, state] of ports.get(familyOf(address)) ?? noPorts) {
        this.#byService.remove(`${address}|${port}`, state);
      }
    }
  }

  #compilePort(
    service: string,
    { port, protocol, routes }: ServicePort,
    family: Family,
    there: ServiceAddress | undefined,
  ): ServiceAddress {
    const state = there ?? { kind: "service", port: { service, port, protocol, routes: [] } };
    const previous = new Map(state.port.routes.map((route) => [route.name, route]));
    state.port.protocol = protocol;
    state.port.routes = routes.map((route) =>
      compileRoute(
        route,
        (name) => this.#cluster(name).families[family],
        previous.get(route.name) ?? null,
      ),
    );
    return state;
  }

  #cluster(name: string): ClusterEntry {
    let entry = this.#clusters.get(name);
    if (entry === undefined) {
      entry = { families: new ClusterFamilies(name), source: null, addresses: [] };
      this.#clusters.set(name, entry);
    }
    return entry;
  }
}

/** Whether an endpoint of the cluster has one of these identities. */
function concerns(identities: Suspended, { endpoints }: Cluster): boolean {
  if (identities.size === 0) return false;
  return endpoints.some(({ identity }) => identity !== null && identities.has(identity));
}

function addressKey({ address, port }: EndpointState): string {
  return `${address}|${port}`;
}

function byName(one: ServiceAddress, other: ServiceAddress): number {
  return compareText(one.port.service, other.port.service);
}

/**
 * Of several records of one endpoint, one that demands an identity goes first: a record without, which
 * any namespace may write by hand, must not turn a pod of the mesh to plaintext (attack case 54).
 */
function byProof(one: EndpointAddress, other: EndpointAddress): number {
  const proof = Number(one.endpoint.identity === null) - Number(other.endpoint.identity === null);
  return proof === 0 ? compareText(one.cluster.name, other.cluster.name) : proof;
}

function compareText(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function isUnspecified(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}
