// The outbound view of a snapshot, compiled for look-up: from a connection's original destination to
// what it means. Ports and clusters are objects that live on across snapshots and whose content is
// swapped whole, so that open connections route by the newest weights.
import type { Cluster, Protocol, ServicePort } from "#/api/discovery.ts";
import type { Snapshot } from "#/api/snapshot.ts";
import { isLoopback } from "#/lib/ip.ts";
import type { Destination } from "../net/original-destination.ts";
import { EndpointStates } from "./endpoint.ts";
import type { ClusterState, EndpointState } from "./endpoint.ts";
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

export type Resolved =
  /** A service's address: routed, balanced, retried. */
  | { readonly kind: "service"; readonly port: PortState }
  /** A pod addressed directly (headless service, StatefulSet): that one endpoint. */
  | {
      readonly kind: "endpoint";
      readonly cluster: ClusterState;
      readonly endpoint: EndpointState;
      readonly protocol: Protocol;
    }
  /** This very pod. */
  | { readonly kind: "self" }
  /** Not of the mesh: passed on untouched. */
  | { readonly kind: "passthrough" }
  | { readonly kind: "refused"; readonly reason: "no_snapshot" | "own_port" | "loopback" };

const self: Resolved = { kind: "self" };
const passthrough: Resolved = { kind: "passthrough" };
const noSnapshot: Resolved = { kind: "refused", reason: "no_snapshot" };
const ownPort: Resolved = { kind: "refused", reason: "own_port" };
const loopback: Resolved = { kind: "refused", reason: "loopback" };

export class RouteTable {
  readonly #ownAddresses: ReadonlySet<string>;
  readonly #ownPorts: ReadonlySet<number>;
  readonly #states: EndpointStates;
  readonly #clusters = new Map<string, ClusterState>();
  readonly #ports = new Map<string, PortState>();
  #byAddress = new Map<string, Resolved>();
  #synced = false;

  constructor(ownAddresses: readonly string[], ownPorts: readonly number[]) {
    this.#ownAddresses = new Set(ownAddresses);
    this.#ownPorts = new Set(ownPorts);
    this.#states = new EndpointStates(ownAddresses);
  }

  /** What a connection to `destination` means. */
  resolve(destination: Destination): Resolved {
    const { address, port } = destination;
    const own = this.#ownAddresses.has(address);
    if ((own || isLoopback(address)) && this.#ownPorts.has(port)) return ownPort;
    if (isLoopback(address)) return loopback;
    if (own) return self;
    if (!this.#synced) return noSnapshot;
    return this.#byAddress.get(`${address}|${port}`) ?? passthrough;
  }

  /** Takes a new snapshot over, whole. Returns the endpoints that it names. */
  update(snapshot: Snapshot): ReadonlySet<EndpointState> {
    this.#updateClusters(snapshot);
    const byAddress = new Map<string, Resolved>();
    this.#addEndpoints(snapshot, byAddress);
    const present = new Set<string>();
    for (const service of snapshot.services.values()) {
      for (const port of service.ports) {
        const state = this.#updatePort(service.name, port);
        present.add(`${service.name}|${port.port}`);
        for (const address of service.addresses) {
          byAddress.set(`${address}|${port.port}`, { kind: "service", port: state });
        }
      }
    }
    for (const [key, state] of this.#ports) {
      if (present.has(key)) continue;
      state.routes = [];
      this.#ports.delete(key);
    }
    this.#byAddress = byAddress;
    this.#synced = snapshot.synced;
    return this.#states.settle();
  }

  #updateClusters(snapshot: Snapshot): void {
    for (const cluster of snapshot.clusters.values()) {
      this.#cluster(cluster.name).endpoints = cluster.endpoints.map((each) =>
        this.#states.of(each),
      );
    }
    for (const [name, state] of this.#clusters) {
      if (snapshot.clusters.has(name)) continue;
      state.endpoints = [];
      this.#clusters.delete(name);
    }
  }

  #addEndpoints(snapshot: Snapshot, byAddress: Map<string, Resolved>): void {
    for (const cluster of snapshot.clusters.values()) {
      const state = this.#cluster(cluster.name);
      for (const endpoint of state.endpoints) {
        const key = `${endpoint.address}|${endpoint.port}`;
        byAddress.set(key, direct(cluster, state, endpoint));
      }
    }
  }

  #updatePort(service: string, port: ServicePort): PortState {
    const key = `${service}|${port.port}`;
    let state = this.#ports.get(key);
    if (state === undefined) {
      state = { service, port: port.port, protocol: port.protocol, routes: [] };
      this.#ports.set(key, state);
    }
    const previous = new Map(state.routes.map((route) => [route.name, route]));
    state.protocol = port.protocol;
    state.routes = port.routes.map((route) =>
      compileRoute(route, (name) => this.#cluster(name), previous.get(route.name)),
    );
    return state;
  }

  #cluster(name: string): ClusterState {
    let state = this.#clusters.get(name);
    if (state === undefined) {
      state = { name, endpoints: [] };
      this.#clusters.set(name, state);
    }
    return state;
  }
}

function direct(cluster: Cluster, state: ClusterState, endpoint: EndpointState): Resolved {
  return { kind: "endpoint", cluster: state, endpoint, protocol: cluster.protocol };
}
