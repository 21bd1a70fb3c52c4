// The key that signs a log's heads, and the log's name after it. It lies in the ledger's file and issues
// nothing: who takes it can only say something else of the log than it is, which whoever has seen the log
// notices. It is as old as the log, so that heads can be compared over years.
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { TrustDomain } from "#/identity/spiffe-id.ts";

export interface LogKey {
  /** "signet.dev/log/" with the trust domain, the replica, and eight digits of the key's hash. */
  readonly origin: string;
  /** Ed25519. */
  readonly privateKey: KeyObject;
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
