// What changed between two snapshots, to be told to a worker: as much as the change is large, not the mesh. What
// did not change stays the same object on the other side, too, so that what is compared by identity there (tables,
// rules) is as it is here. Pure.
import type { Cluster, Service } from "#/api/discovery.ts";
import type { Snapshot } from "#/api/snapshot.ts";

interface MapDelta<T> {
  readonly set: readonly (readonly [string, T])[];
  readonly removed: readonly string[];
}

/** What traffic needs; a field that is absent did not change. */
export interface SnapshotDelta {
  readonly services?: MapDelta<Service>;
  readonly clusters?: MapDelta<Cluster>;
  readonly policy?: Snapshot["policy"];
  readonly suspended?: Snapshot["suspended"];
  readonly federated?: Snapshot["federated"];
  readonly synced?: boolean;
}

export function snapshotDelta(previous: Snapshot, next: Snapshot): SnapshotDelta {
  return {
    ...(next.services === previous.services
      ? {}
      : { services: mapDelta(previous.services, next.services) }),
    ...(next.clusters === previous.clusters
      ? {}
      : { clusters: mapDelta(previous.clusters, next.clusters) }),
    ...(next.policy === previous.policy ? {} : { policy: next.policy }),
    ...(next.suspended === previous.suspended ? {} : { suspended: next.suspended }),
    ...(next.federated === previous.federated ? {} : { federated: next.federated }),
    ...(next.synced === previous.synced ? {} : { synced: next.synced }),
  };
}

/** Nothing of it changed. */
export function isEmptyDelta(delta: SnapshotDelta): boolean {
  return Object.keys(delta).length === 0;
}

/** `snapshot` with the change; bundles, tokens' keys and versions are the control plane's own and stay empty. */
export function applyDelta(snapshot: Snapshot, delta: SnapshotDelta): Snapshot {
  const { services, clusters, ...rest } = delta;
  return {
    ...snapshot,
    ...rest,
    ...(services === undefined ? {} : { services: changed(snapshot.services, services) }),
    ...(clusters === undefined ? {} : { clusters: changed(snapshot.clusters, clusters) }),
  };
}

function mapDelta<T>(previous: ReadonlyMap<string, T>, next: ReadonlyMap<string, T>): MapDelta<T> {
  return {
    set: [...next].filter(([key, value]) => previous.get(key) !== value),
    removed: [...previous.keys()].filter((key) => !next.has(key)),
  };
}

function changed<T>(map: ReadonlyMap<string, T>, { set, removed }: MapDelta<T>): Map<string, T> {
  const next = new Map(map);
  for (const key of removed) next.delete(key);
  for (const [key, value] of set) next.set(key, value);
  return next;
}
