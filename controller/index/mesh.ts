// The controller's index: events in, and at each flush the resources that changed. Events only mark
// what must be compiled again, so a burst costs one compile, and a change costs what depends on it and
// not the size of the mesh. State is changed in place (a copy for each event would make a list of
// 100,000 endpoints quadratic); there is no I/O and no clock, so the same events give the same result.
import { checkResource } from "#/api/resource-check.ts";
import type { FederatedBundle, Resource, ResourceKey, TrustBundle } from "#/api/discovery.ts";
import { keyOf } from "#/api/discovery.ts";
import type { PolicyResource } from "#/api/discovery.ts";
import type { DecodeError } from "#/cluster/decode-error.ts";
import type { Kind, PodRecord, ServicePortRecord, WorldEvent } from "#/cluster/events.ts";
import type { WorldObject } from "#/cluster/events.ts";
import { keyOfMeta } from "#/cluster/events.ts";
import type { JwtAuthority } from "#/identity/jwt-svid.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { assertNever } from "#/lib/assert.ts";
import { messageOf } from "#/lib/errors.ts";
import { Federations } from "./federations.ts";
import type { PolicyScope } from "./policies.ts";
import { Policies } from "./policies.ts";
import { Routes } from "./routes.ts";
import { Services, clusterName } from "./services.ts";
import { bundleResource, compileCluster, compileService, policyResource } from "./snapshot.ts";
import {
  federatedResource,
  suspensionsResource,
  tokenKeysResource,
  uniquePorts,
  unresolvedResource,
} from "./snapshot.ts";
import { Suspensions } from "./suspensions.ts";
import { Workloads, sameEndpointFacts } from "./workloads.ts";

/** What a flush found to be different. */
export interface Delta {
  /** Resources that all sidecars hear of: new, other, or gone. */
  readonly changed: readonly ResourceKey[];
  /** Pods (by key) that changed or went: who speaks for them is judged again. */
  readonly pods: ReadonlySet<string>;
  /** Namespaces whose pods' policy must be decided again. */
  readonly policyNamespaces: ReadonlySet<string> | "all";
  /** What could not be compiled; the last good one stays. */
  readonly faults: readonly { readonly key: string; readonly reason: string }[];
}

export class Mesh {
  readonly trustDomain: TrustDomain;
  readonly workloads: Workloads = new Workloads();
  readonly policies: Policies = new Policies();
  readonly suspensions: Suspensions = new Suspensions();
  readonly federations: Federations;
  readonly #services = new Services();
  readonly #routes = new Routes();
  /** By keyOf; what all sidecars share. */
  readonly #resources = new Map<string, Resource>();
  /** service -> its ports that have a cluster. */
  readonly #clusterPorts = new Map<string, readonly number[]>();
  readonly #dirtyServices = new Set<string>();
  readonly #dirtyPods = new Set<string>();
  #dirtyPolicies: Set<string> | "all" = new Set();
  #newBundle: TrustBundle | null = null;
  #newTokenKeys: readonly JwtAuthority[] | null = null;
  #awaited: ReadonlySet<TrustDomain> = new Set();
  #newFederated: readonly FederatedBundle[] | null = null;
  #areSuspensionsNew = false;
  #isSynced = false;
  #isCompiled = false;
  #isFollowed = false;

  constructor(trustDomain: TrustDomain) {
    this.trustDomain = trustDomain;
    this.federations = new Federations(trustDomain);
    for (const first of [unresolvedResource(), suspensionsResource(this.suspensions.suspended)]) {
      this.#resources.set(keyOf(first), first);
    }
  }

  /** True once the whole world was listed. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** True once the listed world was compiled: what `resources` holds is all that there is. */
  get isCompiled(): boolean {
    return this.#isCompiled;
  }

  /** True while what is known is also what is there: nothing may be taken from anybody otherwise. */
  get isCurrent(): boolean {
    return this.#isCompiled && this.#isFollowed;
  }

  get resources(): ReadonlyMap<string, Resource> {
    return this.#resources;
  }

  counts(): { readonly pods: number; readonly services: number; readonly routes: number } {
    return {
      pods: this.workloads.size,
      services: this.#services.size,
      routes: this.#routes.size,
    };
  }

  /** The ports of a service that requests can be routed for; null when there is no such service. */
  portsOf(service: string): readonly ServicePortRecord[] | null {
    const record = this.#services.get(service);
    return record === undefined || record.external ? null : record.ports;
  }

  hasRoute(key: string): boolean {
    return this.#routes.has(key);
  }

  setTokenKeys(authorities: readonly JwtAuthority[]): void {
    this.#newTokenKeys = authorities;
  }

  /** All that there are of other trust domains, and those that are federated and not known yet. */
  setFederated(bundles: readonly FederatedBundle[], awaited: ReadonlySet<TrustDomain>): void {
    this.#newFederated = bundles;
    this.#awaited = awaited;
  }

  /** What is told of it; awaited: whoever has something of it keeps that. */
  resource(key: ResourceKey): Resource | "awaited" | undefined {
    const isAwaited = key.kind === "federatedBundle" && this.#awaited.has(key.name as TrustDomain);
    return this.#resources.get(keyOf(key)) ?? (isAwaited ? "awaited" : undefined);
  }

  setBundle(bundle: TrustBundle): void {
    this.#newBundle = bundle;
  }

  /** Takes an event in. Nothing is compiled until `flush`. */
  apply(event: WorldEvent): void {
    switch (event.type) {
      case "applied":
        return this.#applyObject(event.object);
      case "deleted":
        return this.#deleteObject(event.kind, event.key);
      case "synced":
        this.#isSynced = true;
        this.#isFollowed = true;
        return;
      case "invalid":
        return this.#refuseObject(event.error);
      case "disconnected":
        this.#isFollowed = false;
        return;
      default:
        assertNever(event);
    }
  }

  /** The policy of one pod, as its sidecar is told. */
  policyOf(pod: PodRecord): PolicyResource {
    return policyResource(this.policies.decide(pod));
  }

  /** Compiles what was marked and tells what came out different. */
  flush(): Delta {
    const changed: ResourceKey[] = [];
    const faults: { key: string; reason: string }[] = [];
    const put = (resource: Resource): void => {
      const key = keyOf(resource);
      if (this.#resources.get(key)?.version === resource.version) return;
      try {
        checkResource(resource);
      } catch (thrown) {
        faults.push({ key, reason: messageOf(thrown) });
        return;
      }
      this.#resources.set(key, resource);
      changed.push({ kind: resource.kind, name: resource.name });
    };
    const drop = (key: ResourceKey): void => {
      if (this.#resources.delete(keyOf(key))) changed.push(key);
    };
    if (this.#newBundle !== null) put(bundleResource(this.#newBundle));
    if (this.#newTokenKeys !== null) put(tokenKeysResource(this.#newTokenKeys));
    if (this.#newFederated !== null) this.#putFederated(this.#newFederated, put, drop);
    if (this.#areSuspensionsNew) put(suspensionsResource(this.suspensions.suspended));
    for (const service of this.#dirtyServices) this.#compile(service, put, drop);
    const delta: Delta = {
      changed,
      pods: new Set(this.#dirtyPods),
      policyNamespaces: this.#dirtyPolicies,
      faults,
    };
    this.#isCompiled = this.#isSynced;
    this.#newBundle = null;
    this.#newTokenKeys = null;
    this.#newFederated = null;
    this.#areSuspensionsNew = false;
    this.#dirtyServices.clear();
    this.#dirtyPods.clear();
    this.#dirtyPolicies = new Set();
    return delta;
  }

  #putFederated(
    bundles: readonly FederatedBundle[],
    put: (resource: Resource) => void,
    drop: (key: ResourceKey) => void,
  ): void {
    const kept = new Set<string>(bundles.map(({ trustDomain }) => trustDomain));
    for (const { kind, name } of this.#resources.values().toArray()) {
      if (kind === "federatedBundle" && !kept.has(name)) drop({ kind, name });
    }
    for (const bundle of bundles) put(federatedResource(bundle));
  }

  #compile(key: string, put: (resource: Resource) => void, drop: (key: ResourceKey) => void): void {
    const service = this.#services.get(key);
    const ports = service === undefined || service.external ? [] : uniquePorts(service.ports);
    if (service !== undefined && !service.external) {
      const slices = this.#services.slicesOf(key);
      for (const port of ports) {
        put(
          compileCluster(service, port, slices, (address, reference, declared) =>
            this.workloads.resolve({ address, reference, declared }, this.trustDomain),
          ),
        );
      }
      put(compileService(service, this.#routes, (name, port) => this.#hasPort(name, port)));
    } else {
      drop({ kind: "service", name: key });
    }
    const kept = ports.map(({ port }) => port);
    for (const port of this.#clusterPorts.get(key) ?? []) {
      if (!kept.includes(port)) drop({ kind: "cluster", name: clusterName(key, port) });
    }
    if (kept.length === 0) this.#clusterPorts.delete(key);
    else this.#clusterPorts.set(key, kept);
  }

  #hasPort(service: string, port: number): boolean {
    return this.portsOf(service)?.some((each) => each.port === port) === true;
  }

  #applyObject(object: WorldObject): void {
    switch (object.kind) {
      case "Pod":
        return this.#podChanged(keyOfMeta(object.meta), this.workloads.apply(object), object);
      case "Service":
        this.#services.apply(object);
        return this.#serviceChanged(keyOfMeta(object.meta));
      case "EndpointSlice":
        return this.#markServices(this.#services.applySlice(object));
      case "HTTPRoute":
        return this.#markServices(this.#routes.apply(object));
      case "PeerAuthentication":
        return this.#markPolicies(this.policies.apply(object));
      case "IdentitySuspension":
        this.#areSuspensionsNew = this.suspensions.apply(object) || this.#areSuspensionsNew;
        return;
      case "FederatedTrustDomain":
        return this.federations.apply(object);
      case "Namespace":
      case "ServiceAccount":
        return;
      default:
        assertNever(object);
    }
  }

  #deleteObject(kind: Kind, key: string): void {
    switch (kind) {
      case "Pod":
        return this.#podChanged(key, this.workloads.delete(key), undefined);
      case "Service":
        this.#services.delete(key);
        return this.#serviceChanged(key);
      case "EndpointSlice":
        return this.#markServices(this.#services.deleteSlice(key));
      case "HTTPRoute":
        return this.#markServices(this.#routes.delete(key));
      case "PeerAuthentication":
        return this.#markPolicies(this.policies.delete(key));
      case "IdentitySuspension":
        this.#areSuspensionsNew = this.suspensions.delete(key) || this.#areSuspensionsNew;
        return;
      case "FederatedTrustDomain":
        return this.federations.delete(key);
      case "Namespace":
      case "ServiceAccount":
        return;
      default:
        assertNever(kind);
    }
  }

  /** What was known of it stays; a policy of which nothing is known must not count for nothing. */
  #refuseObject({ kind, key, message }: DecodeError): void {
    if (kind === "IdentitySuspension" && key !== "") this.suspensions.refuse(key, message);
    if (kind === "FederatedTrustDomain" && key !== "") this.federations.refuse(key, message);
    if (kind !== "PeerAuthentication" || key === "") return;
    const scope = this.policies.refuse(key, message);
    if (scope !== null) this.#markPolicies(scope);
  }

  #podChanged(key: string, before: PodRecord | undefined, after: PodRecord | undefined): void {
    this.#dirtyPods.add(key);
    if (before !== undefined && after !== undefined && sameEndpointFacts(before, after)) return;
    this.#markServices(this.#services.servicesAt(key));
    for (const address of [...(before?.addresses ?? []), ...(after?.addresses ?? [])]) {
      this.#markServices(this.#services.servicesAt(address));
    }
  }

  #serviceChanged(key: string): void {
    this.#dirtyServices.add(key);
    this.#markServices(this.#routes.parentsOfBackend(key));
  }

  #markServices(keys: readonly string[]): void {
    for (const key of keys) this.#dirtyServices.add(key);
  }

  #markPolicies(scope: PolicyScope): void {
    if (scope.kind === "mesh") this.#dirtyPolicies = "all";
    else if (this.#dirtyPolicies !== "all") this.#dirtyPolicies.add(scope.namespace);
  }
}
