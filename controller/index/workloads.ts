// Pods: who runs where, under which identity. Keyed by name and by address, so that one pod costs one
// look-up. Changed in place and owned by Mesh: no I/O, no clock; the same events give the same index.
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import { parseSpiffeId, trustDomainOf, workloadId } from "#/identity/spiffe-id.ts";
import type { PodRecord, PodReference } from "#/cluster/events.ts";
import { keyOfMeta } from "#/cluster/events.ts";

/** Set by the injector on pods that have our sidecar. */
const statusAnnotation = "signet.dev/status";
const statusInjected = "injected";
/** By which a pod asks for a sidecar where its namespace does not. */
const askingLabel = "service-mesh";
const askingValue = "enabled";

/** What stands behind an endpoint's address. unknown: not to be used until more is known. */
export type Resolution =
  | { readonly kind: "known"; readonly identity: SpiffeId | null; readonly pod: string }
  | { readonly kind: "unknown" };

/** Where an endpoint is, as a slice says it. */
export interface Place {
  readonly address: string;
  /** The pod that is there; null: none of the cluster's. */
  readonly reference: PodReference | null;
  /** Who is there when no pod is, as it was written; null: nobody who could prove it. */
  readonly declared: string | null;
}

export class Workloads {
  readonly #pods = new Map<string, PodRecord>();
  /** Live pods by their own address; those that share the node's are left out. */
  readonly #byAddress = new Map<string, Map<string, PodRecord>>();
  readonly #byNamespace = new Map<string, Set<string>>();
  /** Namespace -> pods there that need the trust bundle. */
  readonly #inNeed = new Map<string, Set<string>>();

  get(key: string): PodRecord | undefined {
    return this.#pods.get(key);
  }

  get size(): number {
    return this.#pods.size;
  }

  keysIn(namespace: string): Iterable<string> {
    return this.#byNamespace.get(namespace) ?? [];
  }

  keys(): Iterable<string> {
    return this.#pods.keys();
  }

  /** With a pod that cannot start without the trust bundle. */
  namespacesInNeed(): ReadonlySet<string> {
    return new Set(this.#inNeed.keys());
  }

  /** Returns what was there before. */
  apply(pod: PodRecord): PodRecord | undefined {
    const key = keyOfMeta(pod.meta);
    const before = this.#pods.get(key);
    if (before !== undefined) this.#dropAddresses(key, before);
    this.#pods.set(key, pod);
    const { namespace } = pod.meta;
    const siblings = this.#byNamespace.get(namespace);
    if (siblings === undefined) this.#byNamespace.set(namespace, new Set([key]));
    else siblings.add(key);
    this.#noteNeed(key, namespace, needsBundle(pod));
    if (pod.hostNetwork || !isLive(pod)) return before;
    for (const address of pod.addresses) {
      const there = this.#byAddress.get(address);
      if (there === undefined) this.#byAddress.set(address, new Map([[key, pod]]));
      else there.set(key, pod);
    }
    return before;
  }

  delete(key: string): PodRecord | undefined {
    const before = this.#pods.get(key);
    if (before === undefined) return undefined;
    this.#pods.delete(key);
    this.#dropAddresses(key, before);
    const siblings = this.#byNamespace.get(before.meta.namespace);
    siblings?.delete(key);
    this.#noteNeed(key, before.meta.namespace, false);
    if (siblings?.size === 0) this.#byNamespace.delete(before.meta.namespace);
    return before;
  }

  /**
   * Who is at an address. The pod that owns the address decides, a reference can only agree: a slice
   * that names another pod, or one that is not known yet, yields nothing rather than plaintext.
   */
  resolve(place: Place, trustDomain: TrustDomain): Resolution {
    const { address, reference } = place;
    const there = this.#byAddress.get(address);
    if (there === undefined || there.size === 0) return this.#resolveForeign(place, trustDomain);
    const candidates = [...there.values()].filter((pod) => agrees(pod, reference));
    const [pod] = candidates;
    if (pod === undefined || candidates.length > 1) return { kind: "unknown" };
    return { kind: "known", identity: meshIdentity(pod, trustDomain), pod: keyOfMeta(pod.meta) };
  }

  /** No pod of ours owns the address: a host-network pod, or something outside the cluster. */
  #resolveForeign({ address, reference, declared }: Place, trustDomain: TrustDomain): Resolution {
    if (reference === null) return declaredIdentity(declared, trustDomain);
    const key = keyOfMeta(reference);
    const pod = this.#pods.get(key);
    const isNode = pod?.hostNetwork === true && isLive(pod) && pod.addresses.includes(address);
    if (!isNode || !agrees(pod, reference)) return { kind: "unknown" };
    return { kind: "known", identity: null, pod: key };
  }

  #noteNeed(key: string, namespace: string, isInNeed: boolean): void {
    const there = this.#inNeed.get(namespace) ?? new Set();
    if (isInNeed) this.#inNeed.set(namespace, there.add(key));
    else if (there.delete(key) && there.size === 0) this.#inNeed.delete(namespace);
  }

  #dropAddresses(key: string, pod: PodRecord): void {
    for (const address of pod.addresses) {
      const there = this.#byAddress.get(address);
      if (there?.delete(key) === true && there.size === 0) this.#byAddress.delete(address);
    }
  }
}

/** Runs or will run; a finished pod's address may be another's already. */
export function isLive(pod: PodRecord): boolean {
  return pod.phase !== "Succeeded" && pod.phase !== "Failed";
}

export function isInjected(pod: PodRecord): boolean {
  return pod.meta.annotations[statusAnnotation] === statusInjected && !pod.hostNetwork;
}

/** It has a sidecar, or asks for one: without the bundle's ConfigMap kubelet does not start it. */
function needsBundle(pod: PodRecord): boolean {
  return isLive(pod) && (isInjected(pod) || pod.meta.labels[askingLabel] === askingValue);
}

/** The identity that the pod proves to its peers; null: it has no sidecar. */
function meshIdentity(pod: PodRecord, trustDomain: TrustDomain): SpiffeId | null {
  if (!isInjected(pod)) return null;
  return workloadId(trustDomain, pod.meta.namespace, pod.serviceAccount);
}

/**
 * Who is outside of the cluster, by what was written of him: of another trust domain, since this one's are
 * pods. What cannot be read is nobody, rather than one who is spoken to in plaintext.
 */
function declaredIdentity(declared: string | null, own: TrustDomain): Resolution {
  if (declared === null) return { kind: "known", identity: null, pod: "" };
  try {
    const identity = parseSpiffeId(declared);
    if (trustDomainOf(identity) !== own) return { kind: "known", identity, pod: "" };
  } catch {
    // Said where the slice is taken up.
  }
  return { kind: "unknown" };
}

/** True when nothing that endpoints depend on differs. */
export function sameEndpointFacts(one: PodRecord, other: PodRecord): boolean {
  return (
    one.addresses.join() === other.addresses.join() &&
    one.meta.uid === other.meta.uid &&
    one.serviceAccount === other.serviceAccount &&
    one.hostNetwork === other.hostNetwork &&
    isLive(one) === isLive(other) &&
    isInjected(one) === isInjected(other)
  );
}

function agrees(pod: PodRecord, reference: PodReference | null): boolean {
  if (reference === null) return true;
  const { namespace, name, uid } = pod.meta;
  return (
    reference.namespace === namespace &&
    reference.name === name &&
    (reference.uid === "" || uid === "" || reference.uid === uid)
  );
}
