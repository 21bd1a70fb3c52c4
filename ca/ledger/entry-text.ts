// An entry as the bytes that the log's Merkle tree is made of: JSON, the fields always in this order, so that
// whoever has an entry can make its leaf again and find it in the tree. Changed, every proof would break.
import type { LedgerEntry } from "./entry.ts";

/** Without a newline at its end. */
export function entryText(entry: LedgerEntry): string {
  return JSON.stringify({
    version: 1,
    id: entry.id,
    namespace: entry.namespace,
    serviceAccount: entry.serviceAccount,
    pod: entry.pod,
    podUid: entry.podUid,
    address: entry.address,
    tokenHash: entry.tokenHash,
    issuedAt: entry.issuedAt,
    notBefore: entry.notBefore,
    notAfter: entry.notAfter,
    serial: entry.serial,
    issuerSerial: entry.issuerSerial,
    keyFingerprint: entry.keyFingerprint,
    certificate: Buffer.from(entry.certificate).toString("base64"),
  });
}
