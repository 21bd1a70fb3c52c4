// IdentitySuspensions: to whom nothing is issued and with whom nobody speaks. Several may name one
// identity; it is suspended while one of them is there. Owned by Mesh.
//
// One that cannot be read keeps its last good version. One of which none is known suspends nobody: it
// names one identity, and what is no identity can be held by no one. Its status and the log say so.
import type { Suspended } from "#/api/discovery.ts";
import { judgeSuspension } from "#/api/suspension.ts";
import type { IdentitySuspensionRecord } from "#/cluster/events.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";

/** In force. */
export interface Suspension {
  /** Of the object. */
  readonly name: string;
  readonly id: SpiffeId;
  readonly reason: string;
  /** Milliseconds since the Unix epoch; 0 when it is not told. */
  readonly since: number;
}

export class Suspensions {
  /** By the object's name. */
  readonly #inForce = new Map<string, Suspension>();
  /** What is wrong with those that are not as they must be, by the object's name. */
  readonly #faults = new Map<string, string>();
  #suspended: Suspended = new Set();

  /** All of them; another set whenever it changes. */
  get suspended(): Suspended {
    return this.#suspended;
  }

  has(id: SpiffeId): boolean {
    return this.#suspended.has(id);
  }

  /** Returns whether other identities are suspended now. */
  apply({ meta, identity, reason }: IdentitySuspensionRecord): boolean {
    const { name, createdAt } = meta;
    const verdict = judgeSuspension(identity);
    if (verdict.kind === "refused") return this.refuse(name, verdict.fault);
    this.#faults.delete(name);
    this.#inForce.set(name, { name, id: verdict.id, reason, since: createdAt });
    return this.#compile();
  }

  delete(name: string): boolean {
    this.#faults.delete(name);
    this.#inForce.delete(name);
    return this.#compile();
  }

  /** The object stands there and cannot be read: its last good version, if there is one, stays. */
  refuse(name: string, fault: string): false {
    this.#faults.set(name, fault);
    return false;
  }

  /** What is wrong with the object; null when it is in force as it stands, or not known. */
  faultOf(name: string): string | null {
    return this.#faults.get(name) ?? null;
  }

  /** Whether a version of the object is in force. */
  isInForce(name: string): boolean {
    return this.#inForce.has(name);
  }

  /** Those in force, by name; for the read API. */
  all(): readonly Suspension[] {
    return [...this.#inForce.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  #compile(): boolean {
    const next = new Set([...this.#inForce.values()].map(({ id }) => id));
    if (next.symmetricDifference(this.#suspended).size === 0) return false;
    this.#suspended = next;
    return true;
  }
}
