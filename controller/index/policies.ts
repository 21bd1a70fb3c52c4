// PeerAuthentications: which one decides for a pod. Nearest wins: one whose selector matches the pod,
// then the namespace's, then the mesh's; none at all is permissive. Owned by Mesh.
//
// One that cannot be read fails closed. If a version of it could be read before, that one stays in force.
// If none is known it may be anything, so it is taken for the strictest that it can be: STRICT with
// post-quantum keys, for nobody of another trust domain, and before every other policy of its place.
import type { MtlsMode, ServerPolicy } from "#/api/policy.ts";
import type { Labels, PeerAuthenticationRecord, PodRecord } from "#/cluster/events.ts";
import { keyOfMeta } from "#/cluster/events.ts";

/** A policy without selector in this namespace holds in the whole mesh. */
export const meshNamespace = "signet-system";
/** The service account whose identity sidecars accept as controller. */
export const controllerAccount = "signet-controller";

/** In force while no object says anything. */
const defaultPolicy: ServerPolicy = {
  mode: "permissive",
  ports: new Map(),
  requiresPostQuantum: false,
  foreignCallers: new Set(),
  source: "default",
};

/** The pods for which a policy must be decided again. */
export type PolicyScope =
  | { readonly kind: "mesh" }
  | { readonly kind: "namespace"; readonly namespace: string };

/** An object of which no version could be read. */
export interface UnreadablePolicy {
  readonly namespace: string;
  readonly name: string;
  /** What is wrong with it. */
  readonly reason: string;
}

export class Policies {
  readonly #byNamespace = new Map<string, Map<string, PeerAuthenticationRecord>>();
  /** Namespace -> name -> what is held against its pods; sorted by name when it is asked for. */
  readonly #unreadable = new Map<string, Map<string, UnreadablePolicy>>();

  apply(policy: PeerAuthenticationRecord): PolicyScope {
    const { namespace } = policy.meta;
    this.#forgetUnreadable(namespace, policy.meta.name);
    const there = this.#byNamespace.get(namespace);
    if (there === undefined)
      this.#byNamespace.set(namespace, new Map([[policy.meta.name, policy]]));
    else there.set(policy.meta.name, policy);
    return scopeOf(namespace);
  }

  /** `key` as keyOfMeta. */
  delete(key: string): PolicyScope {
    const [namespace, name] = partsOf(key);
    const there = this.#byNamespace.get(namespace);
    there?.delete(name);
    if (there?.size === 0) this.#byNamespace.delete(namespace);
    this.#forgetUnreadable(namespace, name);
    return scopeOf(namespace);
  }

  /** The object stands there and cannot be read. null: its last good version stays in force. */
  refuse(key: string, reason: string): PolicyScope | null {
    if (this.has(key)) return null;
    const [namespace, name] = partsOf(key);
    const there = this.#unreadable.get(namespace) ?? new Map<string, UnreadablePolicy>();
    this.#unreadable.set(namespace, there.set(name, { namespace, name, reason }));
    return scopeOf(namespace);
  }

  /** Whether a version of it is in force. */
  has(key: string): boolean {
    const [namespace, name] = partsOf(key);
    return this.#byNamespace.get(namespace)?.has(name) === true;
  }

  /** The policy of the same namespace that speaks for the very same pods and came first; null: none. */
  rivalOf(key: string): string | null {
    const [namespace, name] = partsOf(key);
    const policies = this.#byNamespace.get(namespace);
    const own = policies?.get(name);
    if (own === undefined) return null;
    const first = oldestFirst(policies).find(({ selector }) => isSame(selector, own.selector));
    return first === undefined || first === own ? null : keyOfMeta(first.meta);
  }

  /** For people: which pods an object that nobody can read may speak for. */
  heldPods(key: string): string {
    const [namespace] = partsOf(key);
    return namespace === meshNamespace
      ? "all pods of the mesh for which no policy of their own namespace decides"
      : `all pods of namespace "${namespace}"`;
  }

  /** All that are held to STRICT for want of a version that can be read; for the read API. */
  unreadable(): readonly UnreadablePolicy[] {
    return this.#unreadable
      .values()
      .flatMap((policies) => policies.values())
      .toArray()
      .sort((one, other) => (keyOfMeta(one) < keyOfMeta(other) ? -1 : 1));
  }

  /** All objects, in order of namespace and name; for the read API. */
  all(): readonly PeerAuthenticationRecord[] {
    return this.#byNamespace
      .values()
      .flatMap((policies) => policies.values())
      .toArray()
      .sort((one, other) => (keyOfMeta(one.meta) < keyOfMeta(other.meta) ? -1 : 1));
  }

  /** What holds for the pod. */
  decide(pod: Pick<PodRecord, "meta">): ServerPolicy {
    const { namespace, labels } = pod.meta;
    const own = oldestFirst(this.#byNamespace.get(namespace));
    const mesh = oldestFirst(this.#byNamespace.get(meshNamespace));
    return decidePolicy([
      // It may select this very pod.
      this.#strictestOf(namespace),
      own.find(({ selector }) => selector !== null && selects(selector, labels)),
      own.find(({ selector }) => selector === null),
      this.#strictestOf(meshNamespace),
      mesh.find(({ selector }) => selector === null),
    ]);
  }

  #strictestOf(namespace: string): Candidate | undefined {
    const [name] = [...(this.#unreadable.get(namespace)?.keys() ?? [])].sort();
    if (name === undefined) return undefined;
    return {
      name: `${nameOf({ namespace, name })} (cannot be read)`,
      mode: "strict",
      ports: noPorts,
      requiresPostQuantum: true,
      foreignCallers: [],
    };
  }

  #forgetUnreadable(namespace: string, name: string): void {
    const there = this.#unreadable.get(namespace);
    there?.delete(name);
    if (there?.size === 0) this.#unreadable.delete(namespace);
  }
}

/** What a policy says of a pod, or what is held against one that says nothing. */
interface Candidate extends Pick<
  PeerAuthenticationRecord,
  "mode" | "ports" | "requiresPostQuantum" | "foreignCallers"
> {
  /** For people. */
  readonly name: string;
}

const noPorts: Candidate["ports"] = new Map();

/**
 * `candidates` from the nearest to the widest. The nearest one decides; what it leaves open of mode, key
 * agreement and foreign callers is the next one's, its ports are its own.
 */
function decidePolicy(
  candidates: readonly (Candidate | PeerAuthenticationRecord | undefined)[],
): ServerPolicy {
  const present = candidates.filter((each) => each !== undefined).map(asCandidate);
  const nearest = present[0];
  if (nearest === undefined) return defaultPolicy;
  const decisive = present.find(({ mode }) => mode !== null);
  const mode: MtlsMode = decisive?.mode ?? defaultPolicy.mode;
  const ports = [...nearest.ports].filter(([, portMode]) => portMode !== mode);
  return {
    mode,
    ports: new Map(ports.sort(([one], [other]) => one - other)),
    requiresPostQuantum:
      present.find((each) => each.requiresPostQuantum !== null)?.requiresPostQuantum ??
      defaultPolicy.requiresPostQuantum,
    foreignCallers: new Set(present.find((each) => each.foreignCallers !== null)?.foreignCallers),
    source: sourceOf(nearest, decisive),
  };
}

function asCandidate(given: Candidate | PeerAuthenticationRecord): Candidate {
  if ("name" in given) return given;
  const { mode, ports, requiresPostQuantum, foreignCallers } = given;
  return { name: nameOf(given.meta), mode, ports, requiresPostQuantum, foreignCallers };
}

function sourceOf(nearest: Candidate, decisive: Candidate | undefined): string {
  if (decisive === nearest) return nearest.name;
  const wider = decisive === undefined ? "default" : decisive.name;
  return nearest.ports.size === 0 ? wider : `${nearest.name}, ${wider}`;
}

function nameOf(meta: { readonly namespace: string; readonly name: string }): string {
  return `PeerAuthentication ${keyOfMeta(meta)}`;
}

function partsOf(key: string): readonly [namespace: string, name: string] {
  const slash = key.indexOf("/");
  return [key.slice(0, slash), key.slice(slash + 1)];
}

/** Two that claim the same place: the older one holds, then the one whose name comes first. */
function oldestFirst(
  policies: ReadonlyMap<string, PeerAuthenticationRecord> | undefined,
): readonly PeerAuthenticationRecord[] {
  return [...(policies?.values() ?? [])].sort(
    (one, other) =>
      one.meta.createdAt - other.meta.createdAt || (one.meta.name < other.meta.name ? -1 : 1),
  );
}

function isSame(one: Labels | null, other: Labels | null): boolean {
  if (one === null || other === null) return one === other;
  return Object.keys(one).length === Object.keys(other).length && selects(one, other);
}

/** An empty selector selects every pod of its namespace. */
function selects(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

function scopeOf(namespace: string): PolicyScope {
  return namespace === meshNamespace ? { kind: "mesh" } : { kind: "namespace", namespace };
}
