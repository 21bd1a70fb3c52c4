// What was issued, to whom, and who asked: written to disk before the certificate leaves. Append-only;
// the database itself refuses changes. All entries of one turn of the event loop share a transaction,
// and so one fsync.
import { DatabaseSync } from "node:sqlite";
import type { SQLInputValue, StatementSync } from "node:sqlite";
import { messageOf } from "#/lib/errors.ts";
import { CaError } from "./ca-error.ts";
import { keyFingerprint } from "./signer.ts";

export interface LedgerEntry {
  /** SPIFFE ID. */
  readonly id: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
  readonly podUid: string;
  /** From where it was asked for. */
  readonly address: string;
  /** SHA-256 of the identifier of the token that proved it, hex; empty for our own process. */
  readonly tokenHash: string;
  /** Milliseconds since the Unix epoch. */
  readonly issuedAt: number;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Lower-case hex. */
  readonly serial: string;
  /** Serial of the issuer, lower-case hex. */
  readonly issuerSerial: string;
  /** DER of the leaf. */
  readonly certificate: Uint8Array;
  /** DER of its SubjectPublicKeyInfo: known by its fingerprint afterwards. */
  readonly publicKey: Uint8Array;
}

export interface LedgerRecord extends Omit<LedgerEntry, "publicKey"> {
  /** Position, from 0, without gaps. */
  readonly index: number;
  /** SHA-256 of the SubjectPublicKeyInfo, hex. */
  readonly keyFingerprint: string;
}

interface LedgerQuery {
  readonly namespace?: string;
  readonly pod?: string;
  /** Only what is valid at this time, milliseconds since the Unix epoch. */
  readonly validAt?: number;
  /** Only what lies before this position: for reading on. */
  readonly before?: number;
  /** 1 to `recordsMax`; default `recordsMax`. */
  readonly limit?: number;
}

/** Of one answer. */
export const recordsMax = 1_000;
/** Entries that wait for their transaction; past this requests are refused, not queued. */
export const pendingMax = 1_024;

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
  CREATE INDEX IF NOT EXISTS entries_by_pod ON entries (namespace, pod, position);
  CREATE INDEX IF NOT EXISTS entries_by_key ON entries (key_fingerprint);
  CREATE INDEX IF NOT EXISTS entries_by_end ON entries (not_after);
  CREATE TRIGGER IF NOT EXISTS entries_are_never_changed BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
  CREATE TRIGGER IF NOT EXISTS entries_are_never_removed BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
`;

interface Pending {
  readonly entry: LedgerEntry;
  readonly resolve: (index: number) => void;
  readonly reject: (error: CaError) => void;
}

export interface Ledger extends Disposable {
  /**
   * Resolves with the entry's position once it is on disk. Rejects with CaError: `key_reused` when the
   * key was certified for another pod, `ledger_full` past `pendingMax`, `ledger_failed` when it could
   * not be written; nothing of it is kept then.
   */
  append(entry: LedgerEntry): Promise<number>;
  /** Newest first. */
  query(query: LedgerQuery): readonly LedgerRecord[];
  size(): number;
}

/** Opens or creates the ledger in `file`; throws CaError `ledger_failed`. */
export function openLedger(file: string): Ledger {
  return new SqliteLedger(file);
}

class SqliteLedger implements Ledger {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #otherPod: StatementSync;
  #pending: Pending[] = [];
  #next: number;

  constructor(file: string) {
    try {
      this.#database = new DatabaseSync(file, { timeout: 1_000 });
      this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
      this.#database.exec(schema);
      this.#insert = this.#database.prepare(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      );
      this.#otherPod = this.#database.prepare(
        "SELECT 1 FROM entries WHERE key_fingerprint = ? AND pod_uid <> ? LIMIT 1",
      );
      this.#next = this.#count();
    } catch (thrown) {
      throw failed(`open "${file}"`, thrown);
    }
  }

  append(entry: LedgerEntry): Promise<number> {
    if (this.#pending.length >= pendingMax) {
      return Promise.reject(
        new CaError("ledger_full", "Cannot record: too many entries wait for the disk", {
          next: "Ask again in a moment; see whether the ledger's disk is slow",
        }),
      );
    }
    return new Promise((resolve, reject) => {
      if (this.#pending.length === 0) setImmediate(() => this.#commit());
      this.#pending.push({ entry, resolve, reject });
    });
  }

  query(query: LedgerQuery): readonly LedgerRecord[] {
    const conditions: string[] = [];
    const values: SQLInputValue[] = [];
    const where = (condition: string, ...bound: SQLInputValue[]): void => {
      conditions.push(condition);
      values.push(...bound);
    };
    if (query.namespace !== undefined) where("namespace = ?", query.namespace);
    if (query.pod !== undefined) where("pod = ?", query.pod);
    if (query.before !== undefined) where("position < ?", query.before);
    if (query.validAt !== undefined) {
      where("not_before <= ? AND not_after > ?", query.validAt, query.validAt);
    }
    const limit = Math.min(Math.max(1, Math.floor(query.limit ?? recordsMax)), recordsMax);
    const filter = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
    const text = `SELECT * FROM entries ${filter} ORDER BY position DESC LIMIT ${limit}`;
    return this.#database
      .prepare(text)
      .all(...values)
      .map((row) => asRecord(row));
  }

  size(): number {
    return this.#next;
  }

  /** What still waits is written first. */
  [Symbol.dispose](): void {
    this.#commit();
    if (this.#database.isOpen) this.#database.close();
  }

  #commit(): void {
    const pending = this.#pending;
    if (pending.length === 0) return;
    this.#pending = [];
    const first = this.#next;
    const done: (() => void)[] = [];
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      for (const { entry, resolve, reject } of pending) {
        const key = keyFingerprint(entry.publicKey);
        if (this.#otherPod.get(key, entry.podUid) !== undefined) {
          done.push(() => reject(keyReused(entry)));
          continue;
        }
        const index = this.#next;
        this.#insert.run(index, ...columns(entry, key));
        this.#next += 1;
        done.push(() => resolve(index));
      }
      this.#database.exec("COMMIT");
    } catch (thrown) {
      this.#next = first;
      this.#rollBack();
      const error = failed("record what was issued", thrown);
      for (const { reject } of pending) reject(error);
      return;
    }
    for (const tell of done) tell();
  }

  #rollBack(): void {
    try {
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec("ROLLBACK");
    } catch {
      // The transaction was given up by SQLite itself, which is what was wanted.
    }
  }

  #count(): number {
    const row = this.#database.prepare("SELECT max(position) AS last FROM entries").get();
    const last = row?.["last"];
    return typeof last === "number" ? last + 1 : 0;
  }
}

function columns(entry: LedgerEntry, key: string): SQLInputValue[] {
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
    key,
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

function keyReused(entry: LedgerEntry): CaError {
  return new CaError(
    "key_reused",
    `Cannot certify for pod "${entry.namespace}/${entry.pod}": the key is another pod's`,
  );
}

function failed(action: string, cause: unknown): CaError {
  return new CaError("ledger_failed", `Cannot ${action}: ${messageOf(cause)}`, {
    cause,
    next: "See that the ledger's disk is there, writable and not full",
  });
}
