// What one subscriber has, what it should have, and therefore what to send next. One update is in
// flight at most; what changes meanwhile is joined. A refused update is halved until the resource that
// is at fault stands alone: that one is not sent again before it changes, all others arrive. Pure.
import { encodedResourceBytes } from "#/api/convert.ts";
import type { HeldResource, Resource, ResourceKey, Update } from "#/api/discovery.ts";
import { keyOf } from "#/api/discovery.ts";

/** Bytes of resources in one update, unless one alone is larger. */
export const updateBytesTarget = 1_048_576;
/** Entries in one update. */
export const updateEntriesMax = 10_000;

export type Answer =
  /** The subscriber has it. */
  | { readonly kind: "applied" }
  /** Refused and cut in halves, which are sent next. */
  | { readonly kind: "halved" }
  /** Refused for good; null: it was an update without entries. */
  | { readonly kind: "refused"; readonly key: ResourceKey | null }
  /** Nothing with that sequence is in flight: the subscriber breaks the protocol. */
  | { readonly kind: "unexpected" };

interface Entry {
  readonly key: ResourceKey;
  /** null: a removal. */
  readonly resource: Resource | null;
}

interface Flight {
  readonly sequence: number;
  readonly entries: readonly Entry[];
  readonly synced: boolean;
}

/** The present resource of a key; awaited: not known yet, and what the subscriber has of it stays. */
export type Lookup = (key: ResourceKey) => Resource | "awaited" | undefined;

/** A refused removal; no resource has an empty version. */
const removalVersion = "";

export class Pending {
  readonly #lookup: Lookup;
  readonly #pending = new Map<string, ResourceKey>();
  /** keyOf -> version that the subscriber has. */
  readonly #has = new Map<string, string>();
  /** keyOf -> version that it refused. */
  readonly #refused = new Map<string, string>();
  #flight: Flight | null = null;
  #sequence = 0;
  #entriesMax = updateEntriesMax;
  #isSynced = false;
  #wasSynced = false;

  /** `held` is what the subscriber brings along. */
  constructor(lookup: Lookup, held: readonly HeldResource[]) {
    this.#lookup = lookup;
    for (const { kind, name, version } of held) {
      const key = { kind, name };
      this.#has.set(keyOf(key), version);
      this.#pending.set(keyOf(key), key);
    }
  }

  /** The resource may differ from what the subscriber has. */
  mark(key: ResourceKey): void {
    this.#pending.set(keyOf(key), key);
  }

  get isSynced(): boolean {
    return this.#isSynced && this.#flight === null;
  }

  /** What the subscriber works with: acknowledged, or brought along; null until it has all there is. */
  versionOf(key: ResourceKey): string | null {
    return this.#wasSynced ? (this.#has.get(keyOf(key)) ?? null) : null;
  }

  get heldCount(): number {
    return this.#has.size;
  }

  get refusedKeys(): readonly string[] {
    return [...this.#refused.keys()];
  }

  /** The next update, or null while one is in flight or nothing differs. */
  next(): Update | null {
    if (this.#flight !== null) return null;
    const entries = this.#takeEntries();
    const isComplete = this.#pending.size === 0;
    if (isComplete) this.#entriesMax = updateEntriesMax;
    const synced = isComplete && !this.#isSynced;
    if (entries.length === 0 && !synced) return null;
    this.#sequence += 1;
    if (synced) this.#isSynced = true;
    this.#flight = { sequence: this.#sequence, entries, synced };
    return {
      sequence: this.#sequence,
      upserts: entries.flatMap(({ resource }) => resource ?? []),
      removals: entries.flatMap(({ key, resource }) => (resource === null ? [key] : [])),
      synced,
    };
  }

  ack(sequence: number): Answer {
    const flight = this.#land(sequence);
    if (flight === null) return { kind: "unexpected" };
    if (flight.synced) this.#wasSynced = true;
    for (const { key, resource } of flight.entries) {
      const text = keyOf(key);
      this.#refused.delete(text);
      if (resource === null) this.#has.delete(text);
      else this.#has.set(text, resource.version);
    }
    return { kind: "applied" };
  }

  nack(sequence: number): Answer {
    const flight = this.#land(sequence);
    if (flight === null) return { kind: "unexpected" };
    const [first, ...others] = flight.entries;
    if (first === undefined) return { kind: "refused", key: null };
    if (flight.synced) this.#isSynced = false;
    if (others.length > 0) {
      for (const { key } of flight.entries) this.mark(key);
      this.#entriesMax = Math.ceil(flight.entries.length / 2);
      return { kind: "halved" };
    }
    this.#refused.set(keyOf(first.key), first.resource?.version ?? removalVersion);
    return { kind: "refused", key: first.key };
  }

  #land(sequence: number): Flight | null {
    const flight = this.#flight;
    if (flight?.sequence !== sequence) return null;
    this.#flight = null;
    return flight;
  }

  /** As many of what differs as one update takes, in the order that keeps each update consistent. */
  #takeEntries(): readonly Entry[] {
    const differing: Entry[] = [];
    for (const [text, key] of this.#pending) {
      const entry = this.#entryOf(text, key);
      if (entry === null) this.#pending.delete(text);
      else differing.push(entry);
    }
    differing.sort((one, other) => rankOf(one) - rankOf(other));
    const taken: Entry[] = [];
    let bytes = 0;
    for (const entry of differing) {
      bytes += entry.resource === null ? 0 : encodedResourceBytes(entry.resource);
      const isFull = taken.length >= this.#entriesMax || bytes > updateBytesTarget;
      if (isFull && taken.length > 0) break;
      taken.push(entry);
      this.#pending.delete(keyOf(entry.key));
    }
    return taken;
  }

  /** null: the subscriber has it already, or refused this very version. */
  #entryOf(text: string, key: ResourceKey): Entry | null {
    const resource = this.#lookup(key) ?? null;
    if (resource === "awaited") return null;
    const version = resource?.version;
    if (version === this.#has.get(text)) return null;
    if ((version ?? removalVersion) === this.#refused.get(text)) return null;
    return { key, resource };
  }
}

/** What is pointed to comes before what points to it, and goes after it. */
function rankOf({ key, resource }: Entry): number {
  switch (key.kind) {
    case "trustBundle":
      return 0;
    // Who is suspended is known before anybody is let in.
    case "suspensions":
      return 1;
    // Whose word counts, before the policy that names its callers.
    case "federatedBundle":
      return 2;
    case "serverPolicy":
      return 3;
    case "cluster":
      return resource === null ? 7 : 4;
    case "service":
      return resource === null ? 6 : 5;
    // Nothing points to them, and no connection waits for them.
    case "tokenKeys":
      return 8;
    default:
      return key.kind satisfies never;
  }
}
