// The ledger's file. Append-only: the database itself refuses changes. What is written together shares
// a transaction, and so one fsync; it waits for the disk, which is why a thread of its own does it.
import { DatabaseSync } from "node:sqlite";
import type { SQLInputValue, StatementSync } from "node:sqlite";
import { messageOf } from "#/lib/errors.ts";
import { CaError } from "../ca-error.ts";
import type { Frontier } from "#/transparency/frontier.ts";
import { hashLeaf } from "#/transparency/hash.ts";
import type { Digest } from "#/transparency/hash.ts";
import { proveConsistency, proveInclusion, rootOf } from "#/transparency/tree.ts";
import type { Tree } from "#/transparency/verify.ts";
import { entryText } from "./entry-text.ts";
import { recordsMax } from "./entry.ts";
import type { LedgerEntry, LedgerQuery, LedgerRecord } from "./entry.ts";
import { HashWriter, Hashes, hashesSchema } from "./hashes.ts";
import type { Outcome } from "./writer.ts";

/** How long a writer waits for another, milliseconds. */
const busyTimeoutMs = 1_000;

/**
 * Entries of a block are found by namespace and pod together. An index over all of them would have another
 * page for each pod, and each batch would write as many pages as it has entries: at a million entries that was
 * half of what one cost.
 */
const blockBits = 10;
/** Of a key's fingerprint, in the index: 64 bits. The whole is compared with what is found. */
const keyStart = (fingerprint: string): string => `substr(${fingerprint}, 1, 16)`;

const schema = `
  CREATE TABLE IF NOT EXISTS entries (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    service_account TEXT NOT NULL,
    pod TEXT NOT NULL,
    pod_uid TEXT NOT NULL,
    address TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    serial TEXT NOT NULL,
    issuer_serial TEXT NOT NULL,
    key_fingerprint TEXT NOT NULL,
    certificate BLOB NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS entries_by_serial ON entries (serial);
  CREATE INDEX IF NOT EXISTS entries_by_block ON entries (position >> ${blockBits}, namespace, pod);
  CREATE INDEX IF NOT EXISTS entries_by_key_start ON entries (${keyStart("key_fingerprint")});
  DROP INDEX IF EXISTS entries_by_pod;
  DROP INDEX IF EXISTS entries_by_key;
  CREATE TRIGGER IF NOT EXISTS entries_are_never_changed BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
  CREATE TRIGGER IF NOT EXISTS entries_are_never_removed BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
`;

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
    // Block by block from the newest, each by its part of the index.
    const inBlock = select([`position >> ${blockBits} = ?`, ...conditions]);
    const found: LedgerRecord[] = [];
    const [first, last] = this.#blocks();
    for (let block = last; block >= first && found.length < limit; block -= 1) {
      const rows = inBlock.all(block, ...values, limit - found.length);
      for (const row of rows) found.push(asRecord(row));
    }
    return found;
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
  readonly #otherPod: StatementSync;
  readonly #hashWriter: HashWriter;
  /** Of the tree over all that is on disk. */
  #frontier: Frontier;

  /** Opens or creates the file; throws CaError `ledger_failed`. */
  constructor(file: string) {
    super(file, false);
    try {
      this.database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
      this.database.exec(schema);
      this.database.exec(hashesSchema);
      this.#insert = this.database.prepare(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      );
      this.#otherPod = this.database.prepare(
        `SELECT 1 FROM entries WHERE ${keyStart("key_fingerprint")} = ${keyStart("?1")}
           AND key_fingerprint = ?1 AND pod_uid <> ?2 LIMIT 1`,
      );
      this.#hashWriter = new HashWriter(this.database);
      const hashes = new Hashes(this.database);
      this.#frontier = hashes.frontier(hashes.size());
      this.#catchUp();
    } catch (thrown) {
      throw failed(`open "${file}"`, thrown);
    }
  }

  /** On disk when it returns. Throws CaError `ledger_failed`: nothing of it is kept then. */
  write(entries: readonly LedgerEntry[]): readonly Outcome[] {
    let frontier = this.#frontier;
    try {
      this.database.exec("BEGIN IMMEDIATE");
      const outcomes = entries.map((entry): Outcome => {
        const { keyFingerprint, podUid } = entry;
        if (this.#otherPod.get(keyFingerprint, podUid) !== undefined) return "key_reused";
        const position = frontier.size;
        this.#insert.run(position, ...columns(entry));
        frontier = this.#hashWriter.append(frontier, leafOf(entry));
        return position;
      });
      this.database.exec("COMMIT");
      this.#frontier = frontier;
      return outcomes;
    } catch (thrown) {
      this.#rollBack();
      throw failed("record what was issued", thrown);
    }
  }

  /** A ledger from before there was a tree gets one. */
  #catchUp(): void {
    const select = this.database.prepare(
      "SELECT * FROM entries WHERE position >= ? ORDER BY position LIMIT ?",
    );
    let frontier = this.#frontier;
    for (;;) {
      const rows = select.all(frontier.size, recordsMax);
      if (rows.length === 0) break;
      this.database.exec("BEGIN IMMEDIATE");
      for (const row of rows) frontier = this.#hashWriter.append(frontier, leafOf(asRecord(row)));
      this.database.exec("COMMIT");
    }
    this.#frontier = frontier;
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
  };
}

function failed(action: string, cause: unknown): CaError {
  return new CaError("ledger_failed", `Cannot ${action}: ${messageOf(cause)}`, {
    cause,
    next: "See that the ledger's disk is there, writable and not full",
  });
}
