// PeerAuthentications: which one decides for a pod. Nearest wins: one whose selector matches the pod,
// then the namespace's, then the mesh's; none at all is permissive. Owned by Mesh.
import type { MtlsMode, ServerPolicy } from "#/api/policy.ts";
import type { Labels, PeerAuthenticationRecord, PodRecord } from "#/cluster/events.ts";
import { keyOfMeta } from "#/cluster/events.ts";

/** A policy without selector in this namespace holds in the whole mesh. */
export const meshNamespace = "signet-system";

/** In force while no object says anything. */
const defaultPolicy: ServerPolicy = {
  mode: "permissive",
  ports: new Map(),
  source: "default",
};

/** The pods for which a policy must be decided again. */
export type PolicyScope =
  | { readonly kind: "mesh" }
  | { readonly kind: "namespace"; readonly namespace: string };

export class Policies {
  readonly #byNamespace = new Map<string, Map<string, PeerAuthenticationRecord>>();

  apply(policy: PeerAuthenticationRecord): PolicyScope {
    const { namespace } = policy.meta;
    const there = this.#byNamespace.get(namespace);
    if (there === undefined)
      this.#byNamespace.set(namespace, new Map([[policy.meta.name, policy]]));
    else there.set(policy.meta.name, policy);
    return scopeOf(namespace);
  }

  /** `key` as keyOfMeta. */
  delete(key: string): PolicyScope {
    const slash = key.indexOf("/");
    const namespace = key.slice(0, slash);
    const there = this.#byNamespace.get(namespace);
    there?.delete(key.slice(slash + 1));
    if (there?.size === 0) this.#byNamespace.delete(namespace);
    return scopeOf(namespace);
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
      own.find(({ selector }) => selector !== null && selects(selector, labels)),
      own.find(({ selector }) => selector === null),
      mesh.find(({ selector }) => selector === null),
    ]);
  }
}

/**
 * `candidates` from the nearest to the widest. The nearest one decides; a mode that it leaves open is
 * the next one's, its ports are its own.
 */
function decidePolicy(candidates: readonly (PeerAuthenticationRecord | undefined)[]): ServerPolicy {
  const present = candidates.filter((each) => each !== undefined);
  const nearest = present[0];
  if (nearest === undefined) return defaultPolicy;
  const decisive = present.find(({ mode }) => mode !== null);
  const mode: MtlsMode = decisive?.mode ?? defaultPolicy.mode;
  const ports = [...nearest.ports].filter(([, portMode]) => portMode !== mode);
  return {
    mode,
    ports: new Map(ports.sort(([one], [other]) => one - other)),
    source: sourceOf(nearest, decisive),
  };
}

function sourceOf(
  nearest: PeerAuthenticationRecord,
  decisive: PeerAuthenticationRecord | undefined,
): string {
  const name = (policy: PeerAuthenticationRecord): string =>
    `PeerAuthentication ${keyOfMeta(policy.meta)}`;
  if (decisive === nearest) return name(nearest);
  const wider = decisive === undefined ? "default" : name(decisive);
  return nearest.ports.size === 0 ? wider : `${name(nearest)}, ${wider}`;
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

/** An empty selector selects every pod of its namespace. */
function selects(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

function scopeOf(namespace: string): PolicyScope {
  return namespace === meshNamespace ? { kind: "mesh" } : { kind: "namespace", namespace };
}
