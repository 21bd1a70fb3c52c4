// The key that signs a log's heads, and the log's name after it. It lies beside the ledger, for its owner alone,
// and issues nothing: who takes it can only say something else of the log than it is, which whoever has seen
// the log notices. It is as old as the log, so that heads can be compared over years.
//
// The file is SQLite's because that alone may sync a file under Node's permission model: a key that a crash
// takes would end the log.
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { chmodSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { messageOf } from "#/lib/errors.ts";
import { CaError } from "../ca-error.ts";

export interface LogKey {
  /** "signet.dev/log/" with the trust domain, the replica, and eight digits of the key's hash. */
  readonly origin: string;
  /** Ed25519. */
  readonly privateKey: KeyObject;
}

const schema = `
  CREATE TABLE IF NOT EXISTS log_key (one INTEGER PRIMARY KEY CHECK (one = 1), pem TEXT NOT NULL) STRICT;
  CREATE TRIGGER IF NOT EXISTS log_key_is_never_changed BEFORE UPDATE ON log_key
    BEGIN SELECT RAISE(ABORT, 'the log keeps its key'); END;
  CREATE TRIGGER IF NOT EXISTS log_key_is_never_removed BEFORE DELETE ON log_key
    BEGIN SELECT RAISE(ABORT, 'the log keeps its key'); END;
`;

/** Read from the file; made there the first time. Throws CaError `ledger_failed`. */
export function openLogKey(file: string, trustDomain: TrustDomain, replica: string): LogKey {
  try {
    using database = new DatabaseSync(file);
    chmodSync(file, 0o600);
    database.exec(schema);
    database.prepare("INSERT OR IGNORE INTO log_key VALUES (1, ?)").run(newLogKey());
    const pem = String(database.prepare("SELECT pem FROM log_key").get()?.["pem"]);
    return logKeyOf(pem, trustDomain, replica);
  } catch (cause) {
    throw new CaError("ledger_failed", `Cannot use "${file}": ${messageOf(cause)}`, {
      cause,
      next: "Put the log's own key back. Without it, remove file and ledger: another log begins, and whoever watches is alarmed",
    });
  }
}

/** PKCS#8, PEM. */
export function newLogKey(): string {
  return generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" });
}

/** `replica`: the pod's name; empty where nobody names it. */
export function logKeyOf(pem: string, trustDomain: TrustDomain, replica: string): LogKey {
  const privateKey = createPrivateKey(pem);
  const der = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const id = hash("sha256", der, "hex").slice(0, 8);
  const parts = ["signet.dev", "log", trustDomain, replica === "" ? "controller" : replica, id];
  return { origin: parts.join("/"), privateKey };
}
