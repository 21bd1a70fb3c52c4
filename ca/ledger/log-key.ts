// The key that signs a log's heads, and the log's name after it. It lies beside the ledger and issues
// nothing: who takes it can only say something else of the log than it is, which whoever has seen the log
// notices. It is as old as the log, so that heads can be compared over years.
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { messageOf } from "#/lib/errors.ts";
import { CaError } from "../ca-error.ts";

export interface LogKey {
  /** "signet.dev/log/" with the trust domain, the replica, and eight digits of the key's hash. */
  readonly origin: string;
  /** Ed25519. */
  readonly privateKey: KeyObject;
}

/** Read from the folder of the ledger; made there, for its owner alone, the first time. Throws CaError. */
export function openLogKey(folder: string, trustDomain: TrustDomain, replica: string): LogKey {
  const file = path.join(folder, "log.key");
  try {
    return named(read(file) ?? make(file), trustDomain, replica);
  } catch (cause) {
    throw new CaError("ledger_failed", `Cannot use "${file}": ${messageOf(cause)}`, {
      cause,
      next: "Put the log's own key back. Without it, remove file and ledger: another log begins, and whoever watches is alarmed",
    });
  }
}

export function newLogKey(trustDomain: TrustDomain, replica: string): LogKey {
  return named(generateKeyPairSync("ed25519").privateKey, trustDomain, replica);
}

function named(privateKey: KeyObject, trustDomain: TrustDomain, replica: string): LogKey {
  if (privateKey.asymmetricKeyType !== "ed25519") throw new Error("it is no Ed25519 key");
  const der = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const id = hash("sha256", der, "hex").slice(0, 8);
  // Outside of a cluster nobody names the replica.
  const parts = ["signet.dev", "log", trustDomain, replica === "" ? "controller" : replica, id];
  return { origin: parts.join("/"), privateKey };
}

/** null when there is none. */
function read(file: string): KeyObject | null {
  try {
    return createPrivateKey(readFileSync(file));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

function make(file: string): KeyObject {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  // Whole or not at all: half a key would stop every start from now on.
  writeFileSync(`${file}.new`, pem, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
  return privateKey;
}
