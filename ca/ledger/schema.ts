// The tables of a ledger's file. The database itself refuses what would take something back: nothing is
// changed, and nothing removed but what lies before the first entry that is kept.
import type { DatabaseSync } from "node:sqlite";

/**
 * Entries of a block are found by namespace and pod together. An index over all of them would have another
 * page for each pod, and each batch would write as many pages as it has entries: at a million entries that was
 * half of what one cost.
 */
export const blockBits = 10;
/**
 * The blocks from ?1 down to ?2 that have entries of namespace ?3, or of its pod ?4; by the index alone, one step
 * into it for each block.
 */
export const blocksWith = (ofPod: boolean): string => `
  WITH RECURSIVE blocks (block) AS (
    SELECT ?1 UNION ALL SELECT block - 1 FROM blocks WHERE block > ?2
  )
  SELECT block FROM blocks WHERE EXISTS (
    SELECT 1 FROM entries WHERE position >> ${blockBits} = block AND namespace = ?3
      ${ofPod ? "AND pod = ?4" : ""}
  )`;
/** Of a key's fingerprint, in the index: 64 bits. The whole is compared with what is found. */
export const keyStart = (fingerprint: string): string => `substr(${fingerprint}, 1, 16)`;

const entries = `
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
    certificate BLOB NOT NULL,
    node TEXT NOT NULL DEFAULT '',
    policy TEXT NOT NULL DEFAULT ''
  ) STRICT;
  CREATE INDEX IF NOT EXISTS entries_by_serial ON entries (serial);
  CREATE INDEX IF NOT EXISTS entries_by_block ON entries (position >> ${blockBits}, namespace, pod);
  CREATE INDEX IF NOT EXISTS entries_by_key_start ON entries (${keyStart("key_fingerprint")});
  DROP INDEX IF EXISTS entries_by_pod;
  DROP INDEX IF EXISTS entries_by_key;
`;

/** Of complete subtrees, at every eighth level: a tile of 2^8 has the others. */
const hashes = `
  CREATE TABLE IF NOT EXISTS hashes (
    level INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, position)
  ) STRICT, WITHOUT ROWID;
`;

/** Each row says more than the one before; the last one counts. */
const pruned = `
  CREATE TABLE IF NOT EXISTS pruned (
    step INTEGER PRIMARY KEY,
    first INTEGER NOT NULL
  ) STRICT;
  CREATE TRIGGER IF NOT EXISTS pruned_goes_on BEFORE INSERT ON pruned
    WHEN NEW.first <= (SELECT coalesce(max(first), 0) FROM pruned)
    BEGIN SELECT RAISE(ABORT, 'what is pruned does not come back'); END;
`;

const firstKept = "(SELECT coalesce(max(first), 0) FROM pruned)";

const guards = `
  DROP TRIGGER IF EXISTS entries_are_never_removed;
  DROP TRIGGER IF EXISTS hashes_are_never_removed;
  CREATE TRIGGER IF NOT EXISTS entries_are_never_changed BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
  CREATE TRIGGER IF NOT EXISTS entries_are_kept BEFORE DELETE ON entries
    WHEN OLD.position >= ${firstKept}
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
  CREATE TRIGGER IF NOT EXISTS hashes_are_never_changed BEFORE UPDATE ON hashes
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
  CREATE TRIGGER IF NOT EXISTS hashes_are_kept BEFORE DELETE ON hashes
    WHEN OLD.level > 0 OR OLD.position >= ${firstKept}
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
  CREATE TRIGGER IF NOT EXISTS pruned_is_never_changed BEFORE UPDATE ON pruned
    BEGIN SELECT RAISE(ABORT, 'what is pruned does not come back'); END;
  CREATE TRIGGER IF NOT EXISTS pruned_is_never_removed BEFORE DELETE ON pruned
    BEGIN SELECT RAISE(ABORT, 'what is pruned does not come back'); END;
`;

/** Makes what is not there yet. */
export function createSchema(database: DatabaseSync): void {
  for (const part of [entries, hashes, pruned, guards]) database.exec(part);
  const columns = database.prepare("SELECT name FROM pragma_table_info('entries')").all();
  for (const name of ["node", "policy"]) {
    if (columns.some((column) => column["name"] === name)) continue;
    database.exec(`ALTER TABLE entries ADD COLUMN ${name} TEXT NOT NULL DEFAULT ''`);
  }
}
