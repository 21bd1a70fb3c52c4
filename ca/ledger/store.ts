// The ledger's file. Append-only: the database itself refuses changes. What is written together shares
// a transaction, and so one fsync; it waits for the disk, which is why a thread of its own does it.
import { DatabaseSync } from "node:sqlite";
import type { SQLInputValue, StatementSync } from "node:sqlite";
import { messageOf } from "#/lib/errors.ts";
import { CaError } from "../ca-error.ts";
import { Growth } from "#/transparency/growth.ts";
import type { Frontier, OnComplete } from "#/transparency/frontier.ts";
import { hashLeaf } from "#/transparency/hash.ts";
import type { Digest } from "#/transparency/hash.ts";
import { pathBytes } from "#/transparency/receipt.ts";
import { proveConsistency, proveInclusion, rootOf } from "#/transparency/tree.ts";
import type { Tree } from "#/transparency/verify.ts";
import { tileWidth } from "#/transparency/tile.ts";
import { entryText } from "./entry-text.ts";
import { recordsMax } from "./entry.ts";
import type { LedgerEntry, LedgerQuery, LedgerRecord } from "./entry.ts";
import { Hashes, keepHashes } from "./hashes.ts";
import { blockBits, blocksWith, createSchema, keyStart } from "./schema.ts";
import type { Outcome, Pruned, Written } from "./writer.ts";

/** Entries that one call forgets: what is issued meanwhile waits for it. */
const pruneEntriesMax = 16 * tileWidth;
/**
 * Pages of the write-ahead log from which on they are carried into the file itself: 16 MiB. With SQLite's own
 * 1,000 the pages that every batch changes are carried over four times as often.
 */
const checkpointPages = 4_000;
/** How long a writer waits for another, milliseconds. */
const busyTimeoutMs = 1_000;

/** Reads. */
export class LedgerReader implements Disposable {
  protected readonly database: DatabaseSync;
  /** Its statements can be made only once there is a schema. */
  #opened: Hashes | null = null;

  /** Throws CaError `ledger_failed`; read-only, the file must be there. */
  constructor(file: string, readOnly: boolean = true) {
    try {
      this.database = new DatabaseSync(file, { readOnly, timeout: busyTimeoutMs });
    } catch (thrown) {
      throw failed(`open "${file}"`, thrown);
    }
  }

  /** Newest first. */
  query(query: LedgerQuery): readonly LedgerRecord[] {
    const conditions: string[] = [];
    const values: SQLInputValue[] = [];
    const where = (condition: string, ...bound: SQLInputValue[]): void => {
      conditions.push(condition);
      values.push(...bound);
    };
    if (query.namespace !== undefined) where("namespace = ?", query.namespace);
    if (query.pod !== undefined) where("pod = ?", query.pod);
    if (query.serial !== undefined) where("serial = ?", query.serial);
    if (query.before !== undefined) where("position < ?", query.before);
    const limit = Math.min(Math.max(1, Math.floor(query.limit ?? recordsMax)), recordsMax);
    const select = (filters: readonly string[]): StatementSync => {
      const filter = filters.length === 0 ? "" : `WHERE ${filters.join(" AND ")}`;
      return this.database.prepare(
        `SELECT * FROM entries ${filter} ORDER BY position DESC LIMIT ?`,
      );
    };
    if (query.namespace === undefined || query.serial !== undefined) {
      return select(conditions)
        .all(...values, limit)
        .map((row) => asRecord(row));
    }
    // From the newest block that has any, each by its part of the index.
    const inBlock = select([`position >> ${blockBits} = ?`, ...conditions]);
    const found: LedgerRecord[] = [];
    for (const block of this.#blocksWith(query)) {
      const rows = inBlock.all(block, ...values, limit - found.length);
      for (const row of rows) found.push(asRecord(row));
      if (found.length >= limit) break;
    }
    return found;
  }

  /**
   * Blocks that have entries of a namespace, or of one pod in it; newest first, looked for one at a time. One
   * statement for all: a million entries have a thousand blocks, and for most pods all but a few are empty.
   */
  *#blocksWith({ namespace = "", pod, before }: LedgerQuery): Iterable<number> {
    const [first, last] = this.#blocks();
    const newest =
      before === undefined ? last : Math.min(last, Math.floor(before / 2 ** blockBits));
    if (newest < first) return;
    const whose = pod === undefined ? [namespace] : [namespace, pod];
    const rows = this.database
      .prepare(blocksWith(pod !== undefined))
      .iterate(newest, first, ...whose);
    for (const row of rows) yield Number(row["block"]);
  }

  /** The first and the last that have entries; none when the second is smaller. */
  #blocks(): readonly [first: number, last: number] {
    const row = this.database
      .prepare(
        `SELECT (SELECT min(position) >> ${blockBits} FROM entries) AS first,
          (SELECT max(position) >> ${blockBits} FROM entries) AS last`,
      )
      .get();
    return row?.["first"] === null ? [0, -1] : [Number(row?.["first"]), Number(row?.["last"])];
  }

  /** The log's Merkle tree as it is now. */
  head(): Tree {
    const hashes = this.#hashes();
    const size = hashes.size();
    return { size, root: rootOf(size, (level, index) => hashes.read(level, index)) };
  }

  /** That entry `index` is among the first `size`; both must be there. */
  inclusion(index: number, size: number): readonly Digest[] {
    const hashes = this.#hashes();
    return proveInclusion(index, size, (level, at) => hashes.read(level, at));
  }

  /** That the first `before` entries are the beginning of the first `size`. */
  consistency(before: number, size: number): readonly Digest[] {
    const hashes = this.#hashes();
    return proveConsistency(before, size, (level, at) => hashes.read(level, at));
  }

  /** The right edge of the tree over the first `size`, which are on disk. */
  edge(size: number): Frontier {
    return this.#hashes().frontier(size);
  }

  /** Of complete subtrees over 256^level entries each, from one on; fewer when they are not there. */
  tile(level: number, from: number, width: number): readonly Digest[] {
    return this.#hashes().row(level, from, width);
  }

  /** Entries [from, to) as they were hashed, of those that are kept. */
  texts(from: number, to: number): readonly string[] {
    return this.database
      .prepare("SELECT * FROM entries WHERE position >= ? AND position < ? ORDER BY position")
      .all(from, to)
      .map((row) => entryText(asRecord(row)));
  }

  /** Position of the first entry that is kept; proofs about what lies before it cannot be had. */
  first(): number {
    const row = this.database.prepare("SELECT max(first) AS first FROM pruned").get();
    return typeof row?.["first"] === "number" ? row["first"] : 0;
  }

  #hashes(): Hashes {
    return (this.#opened ??= new Hashes(this.database));
  }

  /** Entries. */
  size(): number {
    const row = this.database.prepare("SELECT max(position) AS last FROM entries").get();
    const last = row?.["last"];
    return typeof last === "number" ? last + 1 : 0;
  }

  [Symbol.dispose](): void {
    if (this.database.isOpen) this.database.close();
  }
}

/** Writes; the only one of its file. */
export class LedgerStore extends LedgerReader {
  readonly #insert: StatementSync;
  readonly #sameKey: StatementSync;
  readonly #keep: OnComplete;
  /** Of the tree over all that is on disk. */
  #frontier: Frontier;

  /** Opens or creates the file; throws CaError `ledger_failed`. */
  constructor(file: string) {
    super(file, false);
    try {
      this.database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
      this.database.exec(`PRAGMA wal_autocheckpoint = ${checkpointPages}`);
      createSchema(this.database);
      this.#insert = this.database.prepare(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      );
      this.#sameKey = this.database.prepare(
        `SELECT 1 FROM entries WHERE ${keyStart("key_fingerprint")} = ${keyStart("?1")}
           AND key_fingerprint = ?1 LIMIT 1`,
      );
      this.#keep = keepHashes(this.database);
      const hashes = new Hashes(this.database);
      this.#frontier = hashes.frontier(hashes.size());
      this.#catchUp();
    } catch (thrown) {
      throw failed(`open "${file}"`, thrown);
    }
  }

  /** On disk when it returns. Throws CaError `ledger_failed`: nothing of it is kept then. */
  write(entries: readonly LedgerEntry[]): Written {
    const growth = new Growth(this.#frontier);
    try {
      this.database.exec("BEGIN IMMEDIATE");
      const positions = entries.map((entry) => this.#add(entry, growth));
      this.database.exec("COMMIT");
      this.#frontier = growth.frontier;
      const outcomes = positions.map((index): Outcome =>
        index === null ? "key_reused" : { index, path: pathBytes(growth.inclusion(index)) },
      );
      return { outcomes, tree: growth.tree() };
    } catch (thrown) {
      this.#rollBack();
      throw failed("record what was issued", thrown);
    }
  }

  /** See LedgerWriter.prune: whole tiles, so that what is kept can still be proven (C2SP tlog-tiles). */
  prune(endedBefore: number): Pruned {
    const from = this.first();
    try {
      const row = this.database
        .prepare("SELECT position FROM entries WHERE not_after >= ? ORDER BY position LIMIT 1")
        .get(endedBefore);
      // The last entry stays, whatever became of it: it says how long the log is.
      const last = this.size() - 1;
      const ended = typeof row?.["position"] === "number" ? row["position"] : last;
      const whole = ended - (ended % tileWidth);
      const first = Math.min(whole, from + pruneEntriesMax);
      if (first <= from) return { first: from, isDone: true };
      this.database.exec("BEGIN IMMEDIATE");
      this.database.prepare("INSERT INTO pruned (first) VALUES (?)").run(first);
      this.database.prepare("DELETE FROM entries WHERE position < ?").run(first);
      this.database.prepare("DELETE FROM hashes WHERE level = 0 AND position < ?").run(first);
      this.database.exec("COMMIT");
      return { first, isDone: first === whole };
    } catch (thrown) {
      this.#rollBack();
      throw failed("forget what has ended", thrown);
    }
  }

  /** Its position; null when the key was certified before: in the same transaction, so only once for any two. */
  #add(entry: LedgerEntry, growth: Growth): number | null {
    if (this.#sameKey.get(entry.keyFingerprint) !== undefined) return null;
    const position = growth.frontier.size;
    this.#insert.run(position, ...columns(entry));
    growth.append(leafOf(entry), this.#keep);
    return position;
  }

  /** A ledger from before there was a tree gets one. */
  #catchUp(): void {
    const select = this.database.prepare(
      "SELECT * FROM entries WHERE position >= ? ORDER BY position LIMIT ?",
    );
    for (;;) {
      const rows = select.all(this.#frontier.size, recordsMax);
      if (rows.length === 0) return;
      const growth = new Growth(this.#frontier);
      this.database.exec("BEGIN IMMEDIATE");
      for (const row of rows) growth.append(leafOf(asRecord(row)), this.#keep);
      this.database.exec("COMMIT");
      this.#frontier = growth.frontier;
    }
  }

  #rollBack(): void {
    try {
      if (this.database.isOpen && this.database.isTransaction) this.database.exec("ROLLBACK");
    } catch {
      // The transaction was given up by SQLite itself, which is what was wanted.
    }
  }
}

function leafOf(entry: LedgerEntry): Digest {
  return hashLeaf(Buffer.from(entryText(entry)));
}

function columns(entry: LedgerEntry): SQLInputValue[] {
  return [
    entry.id,
    entry.namespace,
    entry.serviceAccount,
    entry.pod,
    entry.podUid,
    entry.address,
    entry.tokenHash,
    entry.issuedAt,
    entry.notBefore,
    entry.notAfter,
    entry.serial,
    entry.issuerSerial,
    entry.keyFingerprint,
    entry.certificate,
    entry.node,
    entry.policy,
  ];
}

function asRecord(row: Record<string, unknown>): LedgerRecord {
  return {
    index: Number(row["position"]),
    id: String(row["id"]),
    namespace: String(row["namespace"]),
    serviceAccount: String(row["service_account"]),
    pod: String(row["pod"]),
    podUid: String(row["pod_uid"]),
    address: String(row["address"]),
    tokenHash: String(row["token_hash"]),
    issuedAt: Number(row["issued_at"]),
    notBefore: Number(row["not_before"]),
    notAfter: Number(row["not_after"]),
    serial: String(row["serial"]),
    issuerSerial: String(row["issuer_serial"]),
    keyFingerprint: String(row["key_fingerprint"]),
    certificate: row["certificate"] as Uint8Array,
    node: String(row["node"]),
    policy: String(row["policy"]),
  };
}

function failed(action: string, cause: unknown): CaError {
  return new CaError("ledger_failed", `Cannot ${action}: ${messageOf(cause)}`, {
    cause,
    next: "See that the ledger's disk is there, writable and not full",
  });
}
