// FederatedTrustDomains: with which other trust domains the mesh is federated. Of several objects for one
// trust domain the oldest counts, then the one whose name comes first. Owned by Mesh.
//
// One that cannot be read keeps its last good version. One of which none is known federates with nobody.
import type { Federation } from "#/api/federation.ts";
import { judgeFederation } from "#/api/federation.ts";
import type { FederatedTrustDomainRecord } from "#/cluster/events.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";

/** A version of an object that says all that it has to. */
interface Readable {
  readonly name: string;
  readonly federation: Federation;
  /** Milliseconds since the Unix epoch; 0 when it is not told. */
  readonly createdAt: number;
}

export class Federations {
  readonly #own: TrustDomain;
  /** By the object's name. */
  readonly #readable = new Map<string, Readable>();
  /** What is wrong with those that are not as they must be, by the object's name. */
  readonly #faults = new Map<string, string>();
  /** By trust domain. */
  #inForce: ReadonlyMap<TrustDomain, Readable> = new Map();
  #federations: readonly Federation[] = [];

  constructor(own: TrustDomain) {
    this.#own = own;
  }

  /** Those in force; another list whenever one of them changes. */
  get federations(): readonly Federation[] {
    return this.#federations;
  }

  apply({ meta, spec }: FederatedTrustDomainRecord): void {
    const { name, createdAt } = meta;
    const verdict = judgeFederation(spec, this.#own);
    if (verdict.kind === "refused") return this.refuse(name, verdict.fault);
    this.#faults.delete(name);
    this.#readable.set(name, { name, federation: verdict.federation, createdAt });
    this.#compile();
  }

  delete(name: string): void {
    this.#faults.delete(name);
    if (this.#readable.delete(name)) this.#compile();
  }

  /** The object stands there and cannot be read: its last good version, if there is one, stays. */
  refuse(name: string, fault: string): void {
    this.#faults.set(name, fault);
  }

  /** What is wrong with the object; null when it is in force as it stands, or not known. */
  faultOf(name: string): string | null {
    const fault = this.#faults.get(name) ?? null;
    const known = this.#readable.get(name);
    if (fault !== null || known === undefined) return fault;
    const first = this.#inForce.get(known.federation.trustDomain);
    if (first === undefined || first.name === name) return null;
    return `"${first.name}" federates with "${known.federation.trustDomain}" already`;
  }

  /** The trust domain of which a version of the object is in force; null: none is. */
  inForce(name: string): TrustDomain | null {
    const trustDomain = this.#readable.get(name)?.federation.trustDomain;
    if (trustDomain === undefined) return null;
    return this.#inForce.get(trustDomain)?.name === name ? trustDomain : null;
  }

  /** The object that federates with the trust domain; null: none does. */
  nameOf(trustDomain: TrustDomain): string | null {
    return this.#inForce.get(trustDomain)?.name ?? null;
  }

  #compile(): void {
    const inForce = new Map<TrustDomain, Readable>();
    for (const each of [...this.#readable.values()].sort(oldestFirst)) {
      const { trustDomain } = each.federation;
      if (!inForce.has(trustDomain)) inForce.set(trustDomain, each);
    }
    this.#inForce = inForce;
    this.#federations = [...inForce.values()].map(({ federation }) => federation);
  }
}

function oldestFirst(one: Readable, other: Readable): number {
  return one.createdAt - other.createdAt || (one.name < other.name ? -1 : 1);
}
