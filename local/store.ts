// The objects of the local mesh and their events: what an API server keeps, in memory.
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { keyOf } from "./objects.ts";
import type { KubernetesObject } from "./objects.ts";

export interface WorldEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubernetesObject;
}

export class Store {
  readonly #objects = new Map<string, KubernetesObject>();
  readonly #listeners = new Set<(event: WorldEvent) => void>();
  readonly #now: () => number;
  #version = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  list(kind?: string): KubernetesObject[] {
    return [...this.#objects.values()].filter((each) => kind === undefined || each.kind === kind);
  }

  get(key: string): KubernetesObject | undefined {
    return this.#objects.get(key);
  }

  /** Creates or replaces; the uid and time of creation of an old one stay. Says whether it changed. */
  put(object: KubernetesObject): KubernetesObject {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old !== undefined && same(old, object)) return old;
    this.#version += 1;
    const stored = {
      ...object,
      metadata: {
        ...object.metadata,
        uid: old?.metadata.uid ?? object.metadata.uid ?? randomUUID(),
        creationTimestamp: old?.metadata.creationTimestamp ?? new Date(this.#now()).toISOString(),
        resourceVersion: String(this.#version),
      },
    };
    this.#objects.set(key, stored);
    this.#tell({ type: old === undefined ? "ADDED" : "MODIFIED", object: stored });
    return stored;
  }

  delete(key: string): boolean {
    const old = this.#objects.get(key);
    if (old === undefined) return false;
    this.#objects.delete(key);
    this.#tell({ type: "DELETED", object: old });
    return true;
  }

  onEvent(listener: (event: WorldEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(event: WorldEvent): void {
    for (const listener of Array.from(this.#listeners)) listener(event);
  }
}

function same(old: KubernetesObject, object: KubernetesObject): boolean {
  return isDeepStrictEqual(bare(old), bare({ ...object, metadata: { ...object.metadata } }));
}

/** Without what the store itself adds. */
function bare(object: KubernetesObject): unknown {
  const {
    uid: _uid,
    resourceVersion: _version,
    creationTimestamp: _time,
    ...metadata
  } = object.metadata;
  return structuredClone({ ...object, metadata });
}
