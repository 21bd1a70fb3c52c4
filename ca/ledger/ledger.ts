// What was issued, to whom, and who asked: on disk before the certificate leaves. Entries that come
// while the disk is busy wait for each other and are written together.
import { setImmediate as nextTurn } from "node:timers/promises";
import { sleep } from "#/lib/clock.ts";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Frontier } from "#/transparency/frontier.ts";
import type { Digest } from "#/transparency/hash.ts";
import type { Tree } from "#/transparency/verify.ts";
import { CaError } from "../ca-error.ts";
import type { LedgerEntry, LedgerQuery, LedgerRecord } from "./entry.ts";
import { LedgerReader } from "./store.ts";
import { LedgerThread } from "./thread.ts";
import type { LedgerWriter, Placed } from "./writer.ts";

/** Entries that wait for their transaction; past this requests are refused, not queued. */
export const pendingMax = 1_024;
/**
 * Milliseconds that an entry waits for others, so that a rush shares its transactions: a commit costs
 * the same for one and for sixteen. Nobody minds them at an issuance.
 */
const gatherMs = 3;
/** Entries from which on a rush waits no longer, whatever else comes. */
const gatheredMax = 128;

type Reader = Omit<LedgerReader, "database">;

/** An entry on disk, and a tree with it. */
export interface Logged extends Placed {
  readonly tree: Tree;
}

interface Pending {
  readonly entry: LedgerEntry;
  readonly resolve: (logged: Logged) => void;
  readonly reject: (error: CaError) => void;
}

/** Resolves when what waits shall be written; is told how many entries that are now. */
export type Gather = (waiting: () => number) => Promise<void>;

/**
 * Waits for others: the pause, then on while each turn of the event loop brings more: nothing is idle meanwhile, and
 * what is under way at once goes to the disk, and under one head, together.
 */
export async function gather(clock: Clock, waiting: () => number): Promise<void> {
  await sleep(clock, gatherMs);
  let before = 0;
  for (let now = waiting(); now > before && now < gatheredMax; now = waiting()) {
    before = now;
    await nextTurn();
  }
}

/** Opens or creates the ledger in `file`; rejects with CaError `ledger_failed`. */
export async function openLedger(file: string, clock: Clock): Promise<Ledger> {
  const writer = await LedgerThread.start(file);
  try {
    return new Ledger(writer, new LedgerReader(file), (waiting) => gather(clock, waiting));
  } catch (thrown) {
    await writer[Symbol.asyncDispose]();
    throw thrown;
  }
}

export class Ledger implements AsyncDisposable {
  readonly #writer: LedgerWriter;
  readonly #reader: Reader;
  readonly #gather: Gather;
  #pending: Pending[] = [];
  #writing: Promise<void> | null = null;
  #closed = false;

  constructor(writer: LedgerWriter, reader: Reader, gatherWaiting: Gather) {
    this.#writer = writer;
    this.#reader = reader;
    this.#gather = gatherWaiting;
  }

  /**
   * Resolves with the entry's position, and the proof of it, once it is on disk. Rejects with CaError: `key_reused` when the
   * key was certified before, `ledger_full` past `pendingMax`, `ledger_failed` when it could
   * not be written.
   */
  append(entry: LedgerEntry): Promise<Logged> {
    if (this.#closed) return Promise.reject(new CaError("ledger_failed", "The ledger is closed"));
    if (this.#pending.length >= pendingMax) {
      return Promise.reject(
        new CaError("ledger_full", "Cannot record: too many entries wait for the disk", {
          next: "Ask again in a moment; see whether the ledger's disk is slow",
        }),
      );
    }
    return new Promise((resolve, reject) => {
      this.#pending.push({ entry, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Newest first. */
  query(query: LedgerQuery): readonly LedgerRecord[] {
    return this.#reader.query(query);
  }

  /** Of the Merkle tree over all entries on disk. */
  head(): Tree {
    return this.#reader.head();
  }

  /** That entry `index` is among the first `size`, which are on disk. */
  inclusion(index: number, size: number): readonly Digest[] {
    return this.#reader.inclusion(index, size);
  }

  /** That the first `before` entries are the beginning of the first `size`, which are on disk. */
  consistency(before: number, size: number): readonly Digest[] {
    return this.#reader.consistency(before, size);
  }

  /** The right edge of the tree over the first `size`, which are on disk. */
  edge(size: number): Frontier {
    return this.#reader.edge(size);
  }

  /** Hashes of complete subtrees over 256^(level / 8) entries each; see transparency/tile.ts. */
  tile(level: number, from: number, width: number): readonly Digest[] {
    return this.#reader.tile(level, from, width);
  }

  /** Entries [from, to) as they were hashed, of those that are kept. */
  texts(from: number, to: number): readonly string[] {
    return this.#reader.texts(from, to);
  }

  /** Position of the first entry that is kept. */
  first(): number {
    return this.#reader.first();
  }

  /** Entries on disk, those that are pruned among them. */
  size(): number {
    return this.#reader.size();
  }

  /**
   * Forgets entries from the beginning on whose certificates all ended before then (milliseconds since the
   * Unix epoch); resolves with the position of the first that is kept. What is issued meanwhile goes in
   * between. Rejects with CaError `ledger_failed`.
   */
  async prune(endedBefore: number): Promise<number> {
    for (;;) {
      while (this.#writing !== null) await this.#writing;
      if (this.#closed) return this.#reader.first();
      const pruning = this.#writer.prune(endedBefore);
      this.#writing = pruning.then(
        () => this.#writeAll(),
        () => this.#writeAll(),
      );
      const { first, isDone } = await pruning;
      if (isDone) return first;
    }
  }

  /** What still waits is written first. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writing;
    await this.#writer[Symbol.asyncDispose]();
    this.#reader[Symbol.dispose]();
  }

  async #writeAll(): Promise<void> {
    while (this.#pending.length > 0) {
      await this.#gather(() => this.#pending.length);
      const batch = this.#pending;
      this.#pending = [];
      await this.#write(batch);
    }
    this.#writing = null;
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    try {
      const { outcomes, tree } = await this.#writer.write(batch.map(({ entry }) => entry));
      for (const [position, { entry, resolve, reject }] of batch.entries()) {
        const outcome = outcomes[position];
        if (typeof outcome === "object") resolve({ ...outcome, tree });
        else reject(keyReused(entry));
      }
    } catch (thrown) {
      const cause = messageOf(thrown);
      const error =
        thrown instanceof CaError
          ? thrown
          : new CaError("ledger_failed", `Cannot record: ${cause}`);
      for (const { reject } of batch) reject(error);
    }
  }
}

function keyReused(entry: LedgerEntry): CaError {
  return new CaError(
    "key_reused",
    `Cannot certify for pod "${entry.namespace}/${entry.pod}": the key was certified before`,
    { next: "Make a new key for each request" },
  );
}
