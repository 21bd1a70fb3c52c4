// A watch lists everything, says SYNCED and goes on with changes; after a lost connection it begins
// anew. This follows what is known, so that what is missing from the new list is reported as deleted.
// A line that could not be read may have been any object: then nothing is taken to be gone. That is all it
// does: the runtime, which writes the lines, refuses an object it cannot read when it is applied. Pure.
import { DecodeError } from "./decode-error.ts";
import { decodeObject, identify } from "./decode.ts";
import type { Kind, WorldEvent, WorldObject } from "./events.ts";
import { keyOfMeta } from "./events.ts";

/** Objects that are followed; far above what one controller is built for. */
const objectsMax = 1_000_000;

export class Relist {
  /** kind -> keys of what was told, readable or not, and not deleted. */
  readonly #known = new Map<Kind, Set<string>>();
  #listed: Map<string, Set<string>> | null = null;
  readonly #max: number;
  #isComplete = true;
  #size = 0;

  constructor(max: number = objectsMax) {
    this.#max = max;
  }

  /** A connection stands: a full list comes next. */
  begin(): void {
    this.#listed = new Map();
    this.#isComplete = true;
  }

  /** A line that could not even be parsed. */
  unreadable(state: string): readonly WorldEvent[] {
    this.#isComplete = false;
    return [{ type: "invalid", error: new DecodeError("object_invalid", "", "", state) }];
  }

  /** The events that one parsed line of the watch stands for. */
  line(value: unknown): readonly WorldEvent[] {
    const { type, object } = (value ?? {}) as { type?: unknown; object?: unknown };
    switch (type) {
      case "SYNCED":
        return this.#synced();
      case "ADDED":
      case "MODIFIED":
        return this.#applied(object);
      case "DELETED":
        return this.#deleted(object);
      default:
        return this.unreadable(`type ${JSON.stringify(type)?.slice(0, 40)} is unknown`);
    }
  }

  #applied(value: unknown): readonly WorldEvent[] {
    this.#list(value);
    let object: WorldObject;
    try {
      object = decodeObject(value);
    } catch (thrown) {
      if (!(thrown instanceof DecodeError)) throw thrown;
      if (thrown.code === "unknown_kind") return [];
      // It is there, so that it can go: whoever holds something against it must hear of that.
      if (thrown.key !== "") this.#remember(thrown.kind as Kind, thrown.key);
      return [{ type: "invalid", error: thrown }];
    }
    const key = keyOfMeta(object.meta);
    if (this.#remember(object.kind, key)) return [{ type: "applied", object }];
    const state = `it is one more than ${this.#max} objects`;
    return [{ type: "invalid", error: new DecodeError("object_invalid", object.kind, key, state) }];
  }

  #deleted(value: unknown): readonly WorldEvent[] {
    const id = identify(value);
    if (id === null) return this.unreadable("metadata of a deleted object cannot be read");
    const event = this.#forget(id.kind as Kind, id.key);
    return event === null ? [] : [event];
  }

  #synced(): readonly WorldEvent[] {
    const listed = this.#listed;
    this.#listed = null;
    const events: WorldEvent[] = [];
    if (listed !== null && this.#isComplete) {
      for (const [kind, keys] of this.#known) {
        for (const key of keys) {
          if (listed.get(kind)?.has(key) === true) continue;
          const event = this.#forget(kind, key);
          if (event !== null) events.push(event);
        }
      }
    }
    return [...events, { type: "synced" }];
  }

  /** What is listed is there, whether it can be read or not. */
  #list(value: unknown): void {
    if (this.#listed === null) return;
    const id = identify(value);
    if (id === null) {
      this.#isComplete = false;
      return;
    }
    const keys = this.#listed.get(id.kind);
    if (keys === undefined) this.#listed.set(id.kind, new Set([id.key]));
    else keys.add(id.key);
  }

  /** False when there is no room for one more. */
  #remember(kind: Kind, key: string): boolean {
    const keys = this.#known.get(kind) ?? new Set();
    this.#known.set(kind, keys);
    if (keys.has(key)) return true;
    if (this.#size >= this.#max) return false;
    this.#size += 1;
    keys.add(key);
    return true;
  }

  #forget(kind: Kind, key: string): WorldEvent | null {
    if (this.#known.get(kind)?.delete(key) !== true) return null;
    this.#size -= 1;
    return { type: "deleted", kind, key };
  }
}
