// The sidecar's whole view of the mesh, and the one way to change it: an update in, the next snapshot
// out, or a DiscoveryError and the old one stays in force. Pure; never changes what it was given.
import type { JwtAuthority } from "#/identity/jwt-svid.ts";
import { assertNever } from "#/lib/assert.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import type {
  Cluster,
  FederatedBundle,
  FederatedBundles,
  HeldResource,
  Resource,
  ResourceKey,
  Service,
  Suspended,
  TrustBundle,
} from "./discovery.ts";
import type { Update } from "./discovery.ts";
import { DiscoveryError, keyOf } from "./discovery.ts";
import type { ServerPolicy } from "./policy.ts";
import { checkResource } from "./resource-check.ts";

export interface Snapshot {
  /** By "namespace/name". */
  readonly services: ReadonlyMap<string, Service>;
  /** By "namespace/service:port". Every cluster that a route names is here. */
  readonly clusters: ReadonlyMap<string, Cluster>;
  /** null: not told yet, nothing may be accepted. */
  readonly policy: ServerPolicy | null;
  /** null: not told yet. */
  readonly bundle: TrustBundle | null;
  /** null: not told yet, nothing may be accepted. */
  readonly suspended: Suspended | null;
  /** What JWT-SVIDs are verified with; empty while nobody told. */
  readonly jwtAuthorities: readonly JwtAuthority[];
  /** Other trust domains that the mesh is federated with. */
  readonly federated: FederatedBundles;
  /** True once an update said so; stays true. */
  readonly synced: boolean;
  /** By keyOf; what `heldResources` tells the controller on the next stream. */
  readonly versions: ReadonlyMap<string, HeldResource>;
}

export const emptySnapshot: Snapshot = {
  services: new Map(),
  clusters: new Map(),
  policy: null,
  bundle: null,
  suspended: null,
  jwtAuthorities: [],
  federated: new Map(),
  synced: false,
  versions: new Map(),
};

/** Services and clusters that one sidecar will hold: five times the mesh that we are built for. */
export const snapshotResourcesMax = 100_000;

/** What to send in the next Hello. */
export function heldResources(snapshot: Snapshot): readonly HeldResource[] {
  return [...snapshot.versions.values()];
}

/** The snapshot after `update`. Throws DiscoveryError, then nothing of the update holds. */
export function applyUpdate(snapshot: Snapshot, update: Update): Snapshot {
  checkKeys(update);
  for (const resource of update.upserts) checkResource(resource);
  const next = new Draft(snapshot);
  for (const key of update.removals) next.remove(key);
  for (const resource of update.upserts) next.upsert(resource);
  checkReferences(next, update);
  return next.finish(update.synced);
}

/** No key twice; what there is one of is replaced and never removed. */
function checkKeys(update: Update): void {
  const seen = new Set<string>();
  for (const key of [...update.upserts, ...update.removals]) {
    const text = keyOf(key);
    if (seen.has(text)) throw invalid(`"${text}" is named twice`);
    seen.add(text);
  }
  for (const { kind } of update.removals) {
    if (kind !== "service" && kind !== "cluster" && kind !== "federatedBundle") {
      throw invalid(`"${kind}" can be replaced and not removed`);
    }
  }
}

class Draft {
  services: Map<string, Service> | null = null;
  clusters: Map<string, Cluster> | null = null;
  #federated: Map<TrustDomain, FederatedBundle> | null = null;
  readonly #versions: Map<string, HeldResource>;
  readonly #base: Snapshot;
  #policy: ServerPolicy | null;
  #bundle: TrustBundle | null;
  #suspended: Suspended | null;
  #jwtAuthorities: readonly JwtAuthority[];

  constructor(base: Snapshot) {
    this.#base = base;
    this.#versions = new Map(base.versions);
    this.#policy = base.policy;
    this.#bundle = base.bundle;
    this.#suspended = base.suspended;
    this.#jwtAuthorities = base.jwtAuthorities;
  }

  get currentServices(): ReadonlyMap<string, Service> {
    return this.services ?? this.#base.services;
  }

  get currentClusters(): ReadonlyMap<string, Cluster> {
    return this.clusters ?? this.#base.clusters;
  }

  /** Removing what is not there is no fault: the controller may know less than it once sent. */
  remove(key: ResourceKey): void {
    this.#versions.delete(keyOf(key));
    if (key.kind === "service") (this.services ??= new Map(this.#base.services)).delete(key.name);
    if (key.kind === "cluster") (this.clusters ??= new Map(this.#base.clusters)).delete(key.name);
    if (key.kind === "federatedBundle") this.#changeFederated().delete(key.name as TrustDomain);
  }

  upsert(resource: Resource): void {
    const { kind, name, version } = resource;
    this.#versions.set(keyOf(resource), { kind, name, version });
    switch (kind) {
      case "service":
        (this.services ??= new Map(this.#base.services)).set(name, resource.service);
        return;
      case "cluster":
        (this.clusters ??= new Map(this.#base.clusters)).set(name, resource.cluster);
        return;
      case "serverPolicy":
        this.#policy = resource.policy;
        return;
      case "trustBundle":
        this.#setBundle(resource.bundle);
        return;
      case "suspensions":
        this.#suspended = resource.suspended;
        return;
      case "tokenKeys":
        this.#jwtAuthorities = resource.authorities;
        return;
      case "federatedBundle":
        this.#changeFederated().set(resource.bundle.trustDomain, resource.bundle);
        return;
      default:
        assertNever(kind);
    }
  }

  finish(synced: boolean): Snapshot {
    if (this.#versions.size > snapshotResourcesMax) {
      throw new DiscoveryError(
        "limit_exceeded",
        `Cannot apply the update: more than ${snapshotResourcesMax} resources`,
      );
    }
    const isSynced = synced || this.#base.synced;
    if (isSynced && [this.#policy, this.#bundle, this.#suspended].includes(null)) {
      throw invalid("it ends the first state without server policy, trust bundle and suspensions");
    }
    const federated = this.#federated ?? this.#base.federated;
    // Whoever speaks for the mesh itself is told as its bundle, and by nobody else.
    if (this.#bundle !== null && federated.has(this.#bundle.trustDomain)) {
      throw invalid(`it federates the mesh with its own trust domain`);
    }
    return {
      federated,
      services: this.currentServices,
      clusters: this.currentClusters,
      policy: this.#policy,
      bundle: this.#bundle,
      suspended: this.#suspended,
      jwtAuthorities: this.#jwtAuthorities,
      synced: isSynced,
      versions: this.#versions,
    };
  }

  #changeFederated(): Map<TrustDomain, FederatedBundle> {
    return (this.#federated ??= new Map(this.#base.federated));
  }

  #setBundle(bundle: TrustBundle): void {
    const before = this.#bundle?.trustDomain ?? bundle.trustDomain;
    if (before !== bundle.trustDomain) {
      throw invalid(`trust domain changes from "${before}" to "${bundle.trustDomain}"`);
    }
    this.#bundle = bundle;
  }
}

/** Every cluster that a route names is there. Walks everything only when a cluster went away. */
function checkReferences(draft: Draft, update: Update): void {
  const clusters = draft.currentClusters;
  const isClusterGone = update.removals.some((key) => key.kind === "cluster");
  const touched = isClusterGone
    ? draft.currentServices.values()
    : update.upserts.flatMap((each) => (each.kind === "service" ? [each.service] : [])).values();
  for (const service of touched) {
    for (const { port, routes } of service.ports) {
      for (const route of routes) {
        const missing = route.backends.find((backend) => !clusters.has(backend.cluster));
        if (missing === undefined) continue;
        throw invalid(
          `"${service.name}" port ${port} names cluster "${missing.cluster}", which is not there`,
        );
      }
    }
  }
}

function invalid(state: string): DiscoveryError {
  return new DiscoveryError("update_invalid", `Cannot apply the update: ${state}`);
}
