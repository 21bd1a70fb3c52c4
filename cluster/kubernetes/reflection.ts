// What is known of one kind, by the version of each object. A list, also one made anew, is told as the
// difference to that: objects whose version is known are not told again, objects that a complete list
// does not name are told as deleted. Keeps no object. Pure.
import { keyOfMeta } from "../events.ts";

/** As it came; only what is looked at here. */
export interface RawObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion?: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** refused: there is no room for one more; what is known of others stays. */
export type Change =
  | { readonly type: "applied"; readonly key: string; readonly object: RawObject }
  | { readonly type: "deleted"; readonly key: string }
  | { readonly type: "refused"; readonly key: string };

/** expired: the version to go on from is no longer kept. failed: go on from the last version, later. */
export type Step =
  | { readonly kind: "changes"; readonly changes: readonly Change[] }
  | { readonly kind: "expired" }
  | { readonly kind: "failed"; readonly reason: string };

export interface Page {
  readonly changes: readonly Change[];
  /** Where the next page begins; empty on the last one. */
  readonly next: string;
}

/** Of one kind; far above what one controller is built for. */
export const objectsMax = 1_000_000;

export class Reflection {
  /** Key -> version. */
  readonly #known = new Map<string, string>();
  readonly #max: number;
  #listed: Set<string> | null = null;
  #isComplete = true;
  #listedVersion = "";
  #version = "";

  constructor(max: number = objectsMax) {
    this.#max = max;
  }

  /** Where a watch goes on; empty until a list was complete. */
  get version(): string {
    return this.#version;
  }

  get size(): number {
    return this.#known.size;
  }

  /** A list begins. */
  begin(): void {
    this.#listed = new Set();
    this.#isComplete = true;
  }

  /** One page of it; null when this is no list. */
  page(value: unknown): Page | null {
    const { items, metadata } = record(value);
    const { resourceVersion, continue: next } = record(metadata);
    if (this.#listed === null || typeof resourceVersion !== "string") return null;
    // An empty list may come as null.
    if (!Array.isArray(items) && items !== null && items !== undefined) return null;
    const changes: Change[] = [];
    for (const item of (items ?? []) as readonly unknown[]) {
      const key = keyOf(item);
      if (key === null) {
        // It may be any object: nothing is taken to be gone.
        this.#isComplete = false;
        continue;
      }
      this.#listed.add(key);
      const change = this.#apply(key, item as RawObject);
      if (change !== null) changes.push(change);
    }
    this.#listedVersion = resourceVersion;
    return { changes, next: typeof next === "string" ? next : "" };
  }

  /** The last page was read. */
  complete(): readonly Change[] {
    const listed = this.#listed;
    this.#listed = null;
    this.#version = this.#listedVersion;
    if (listed === null || !this.#isComplete) return [];
    return this.#forgetAllBut(listed);
  }

  /** The kind itself is gone, and all objects with it. */
  clear(): readonly Change[] {
    this.#listed = null;
    this.#version = "";
    return this.#forgetAllBut(new Set());
  }

  /** One parsed line of the watch. */
  line(value: unknown): Step {
    const { type, object } = record(value);
    if (type === "ERROR") return failed(object);
    const { resourceVersion } = record(record(object)["metadata"]);
    if (type === "BOOKMARK") {
      this.#advance(resourceVersion);
      return { kind: "changes", changes: [] };
    }
    const key = keyOf(object);
    if (key === null) return { kind: "failed", reason: "a line names no object" };
    let change: Change | null;
    switch (type) {
      case "ADDED":
      case "MODIFIED":
        change = this.#apply(key, object as RawObject);
        break;
      case "DELETED":
        change = this.#known.delete(key) ? { type: "deleted", key } : null;
        break;
      default:
        return { kind: "failed", reason: `a line of type ${shown(type)}` };
    }
    this.#advance(resourceVersion);
    return { kind: "changes", changes: change === null ? [] : [change] };
  }

  #advance(version: unknown): void {
    if (typeof version === "string" && version !== "") this.#version = version;
  }

  #apply(key: string, object: RawObject): Change | null {
    const version = object.metadata.resourceVersion ?? "";
    const before = this.#known.get(key);
    if (before === version && version !== "") return null;
    if (before === undefined && this.#known.size >= this.#max) return { type: "refused", key };
    this.#known.set(key, version);
    return { type: "applied", key, object };
  }

  #forgetAllBut(listed: ReadonlySet<string>): readonly Change[] {
    const gone = [...this.#known.keys()].filter((key) => !listed.has(key));
    for (const key of gone) this.#known.delete(key);
    return gone.map((key) => ({ type: "deleted", key }));
  }
}

function failed(object: unknown): Step {
  const { code, reason, message } = record(object);
  if (code === 410 || reason === "Expired" || reason === "Gone") return { kind: "expired" };
  return { kind: "failed", reason: typeof message === "string" ? message : shown(reason) };
}

function keyOf(value: unknown): string | null {
  const { name, namespace } = record(record(value)["metadata"]);
  if (typeof name !== "string" || name === "") return null;
  return keyOfMeta({ name, namespace: typeof namespace === "string" ? namespace : "" });
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 100);
}
