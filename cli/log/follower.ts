// Follows a log from one head to the next with every entry in between, and believes nothing of it: what is
// told must hash to what is signed.
import { frontierRoot, grow } from "#/transparency/frontier.ts";
import type { Frontier } from "#/transparency/frontier.ts";
import { hashLeaf, isSameDigest } from "#/transparency/hash.ts";
import type { Mesh } from "../mesh.ts";
import { MeshAccessError } from "../mesh.ts";
import { readEdge, readEntryTexts } from "./answers.ts";
import type { LogHead } from "./answers.ts";
import { LogFault } from "./log-fault.ts";

/** Entries that one question asks for. */
const pageEntries = 1_000;

export interface Followed {
  /** Position of its first entry. */
  readonly from: number;
  /** Each as it was hashed. */
  readonly entries: readonly string[];
}

export class LogFollower {
  readonly #mesh: Pick<Mesh, "inspect">;
  #edge: Frontier;

  /** `edge` is known to be of this log. */
  constructor(mesh: Pick<Mesh, "inspect">, edge: Frontier) {
    this.#mesh = mesh;
    this.#edge = edge;
  }

  /** From a head on that is believed. Throws LogFault when the edge that is told is not that head's. */
  static async startAt(mesh: Pick<Mesh, "inspect">, head: LogHead): Promise<LogFollower> {
    const query = new URLSearchParams({ pod: head.pod, size: String(head.size) }).toString();
    const edge = readEdge(await mesh.inspect(`/v1/log/edge?${query}`), head.size);
    if (edge === null) throw goneError(head.pod);
    if (!isSameDigest(frontierRoot(edge), head.root)) {
      throw new LogFault(`what it tells of its ${head.size} entries is not what is signed`);
    }
    return new LogFollower(mesh, edge);
  }

  get size(): number {
    return this.#edge.size;
  }

  get edge(): Frontier {
    return this.#edge;
  }

  /** What came since, page by page; each is proven only once the last one was taken. Throws LogFault. */
  async *advance(head: LogHead): AsyncGenerator<Followed> {
    if (head.size < this.#edge.size) {
      throw new LogFault(
        `it had ${this.#edge.size} entries and has ${head.size}: some were lost or taken away`,
      );
    }
    let edge = this.#edge;
    while (edge.size < head.size) {
      const from = edge.size;
      const entries = await this.#page(head.pod, from, Math.min(from + pageEntries, head.size));
      for (const entry of entries) edge = grow(edge, hashLeaf(Buffer.from(entry)), ignore);
      yield { from, entries };
    }
    if (!isSameDigest(frontierRoot(edge), head.root)) {
      throw new LogFault(`the ${head.size} entries that it tells are not what is signed`);
    }
    this.#edge = edge;
  }

  async #page(pod: string, from: number, to: number): Promise<readonly string[]> {
    const query = new URLSearchParams({ pod, from: String(from), to: String(to) }).toString();
    const entries = readEntryTexts(await this.#mesh.inspect(`/v1/log/entries?${query}`));
    if (entries === null) throw goneError(pod);
    if (entries.length !== to - from) {
      throw new LogFault(`it tells ${entries.length} entries from ${from} on, not ${to - from}`);
    }
    return entries;
  }
}

function goneError(pod: string): MeshAccessError {
  return new MeshAccessError("not_found", `Cannot ask about the log of "${pod}": it is gone`, {
    next: "Ask again in a moment: its controller may just be restarting",
  });
}

function ignore(): void {}
