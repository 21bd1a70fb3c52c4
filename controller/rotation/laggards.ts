// Who a rotation still waits for, each by name. A live pod with a sidecar that no controller has seen
// counts as lagging: nobody can tell what it trusts. Pure.
import type { Rotation } from "#/ca/rotation/record.ts";
import { awaited } from "#/ca/rotation/rotation.ts";
import { assertNever } from "#/lib/assert.ts";
import type { HolderReading, ProxyReading, Reading } from "./reading.ts";
import { stepOf } from "./reading.ts";

/**
 * world_unknown: pods are not followed now, so nobody can be counted. step_not_taken: a controller works
 * by an earlier state. not_connected: no controller has a stream of that sidecar. bundle_not_acknowledged,
 * leaf_not_renewed: it has the former one. bundle_not_fetched: other meshes may not have asked for it yet.
 */
export type LaggardReason =
  | "world_unknown"
  | "step_not_taken"
  | "not_connected"
  | "bundle_not_acknowledged"
  | "leaf_not_renewed"
  | "bundle_not_fetched";

export interface Laggard {
  readonly kind: "controller" | "proxy" | "component" | "world";
  /** "namespace/name"; a controller's without its namespace. */
  readonly name: string;
  readonly reason: LaggardReason;
  /** Milliseconds since the Unix epoch; null: not known. */
  readonly since: number | null;
  /** Version of the bundle that it last acknowledged; null: of none, or not known. */
  readonly bundle: string | null;
}

export interface LivePod {
  /** "namespace/name". */
  readonly pod: string;
  readonly uid: string;
  /** When somebody last saw it connected, else when it was made; null: not known. */
  readonly lastSeen: number | null;
}

/** The world as it is now; null while it is not followed. */
export interface LivePods {
  /** With a sidecar, and running. */
  readonly proxies: readonly LivePod[];
  /** Controllers, by their pods' names. */
  readonly controllers: readonly { readonly name: string; readonly uid: string }[];
  /** Others of the mesh's own namespace. */
  readonly components: readonly LivePod[];
}

/** Empty: what the rotation waits for holds. */
export function laggards(
  rotation: Rotation,
  world: LivePods | null,
  readings: readonly Reading[],
  now: number,
): readonly Laggard[] {
  const what = awaited(rotation);
  if (what === "nothing") return [];
  if (world === null) {
    return [{ kind: "world", name: "world", reason: "world_unknown", since: null, bundle: null }];
  }
  const step = stepOf(rotation);
  const current = readings.filter((reading) => reading.step === step && isLive(reading, world));
  const late = world.controllers
    .filter(({ name }) => !current.some(({ controller }) => controller === name))
    .map(({ name }) => controllerLag(name, rotation.since));
  const proxies = newestProxies(current);
  const lagging = world.proxies.flatMap((pod) => proxyLag(pod, proxies.get(keyOf(pod)), what));
  if (what === "acknowledged") return [...late, ...lagging];
  const holders = newestHolders(current);
  const components = world.components.flatMap((pod) => holderLag(holders.get(keyOf(pod)), now));
  return [...late, ...lagging, ...components];
}

/** One that is no longer there has nothing to say: its sidecars have gone to others. */
function isLive({ controller, uid }: Reading, { controllers }: LivePods): boolean {
  const there = controllers.find(({ name }) => name === controller);
  return there !== undefined && (uid === "" || there.uid === "" || there.uid === uid);
}

function keyOf({ pod, uid }: { readonly pod: string; readonly uid: string }): string {
  return `${pod} ${uid}`;
}

/** A pod has two streams while one takes over from the other: the later one speaks for it. */
function newestProxies(readings: readonly Reading[]): ReadonlyMap<string, ProxyReading> {
  const newest = new Map<string, ProxyReading>();
  for (const proxy of readings.flatMap(({ proxies }) => proxies)) {
    const other = newest.get(keyOf(proxy));
    if (other === undefined || other.since <= proxy.since) newest.set(keyOf(proxy), proxy);
  }
  return newest;
}

function newestHolders(readings: readonly Reading[]): ReadonlyMap<string, HolderReading> {
  const newest = new Map<string, HolderReading>();
  for (const holder of readings.flatMap(({ holders }) => holders)) {
    const other = newest.get(keyOf(holder));
    if (other === undefined || other.issuedAt <= holder.issuedAt) newest.set(keyOf(holder), holder);
  }
  return newest;
}

function controllerLag(name: string, since: number): Laggard {
  return { kind: "controller", name, reason: "step_not_taken", since, bundle: null };
}

function proxyLag(
  { pod, lastSeen }: LivePod,
  reading: ProxyReading | undefined,
  what: "acknowledged" | "leaves",
): readonly Laggard[] {
  const common = { kind: "proxy", name: pod } as const;
  if (reading === undefined) {
    return [{ ...common, reason: "not_connected", since: lastSeen, bundle: null }];
  }
  const { since, bundle } = reading;
  switch (what) {
    case "acknowledged":
      if (reading.hasBundle) return [];
      return [{ ...common, reason: "bundle_not_acknowledged", since, bundle }];
    case "leaves":
      return reading.hasLeaf ? [] : [{ ...common, reason: "leaf_not_renewed", since, bundle }];
    default:
      return assertNever(what);
  }
}

/** Of one that never asked for a certificate nothing is to be waited for. */
function holderLag(reading: HolderReading | undefined, now: number): readonly Laggard[] {
  if (reading === undefined || reading.hasLeaf || reading.notAfter <= now) return [];
  const { pod: name, issuedAt: since } = reading;
  return [{ kind: "component", name, reason: "leaf_not_renewed", since, bundle: null }];
}
