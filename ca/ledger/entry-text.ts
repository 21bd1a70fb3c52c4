// An entry as the bytes that the log's Merkle tree is made of: JSON, the fields always in this order, so that
// whoever has an entry can make its leaf again and find it in the tree. Changed, every proof would break.
import { base64 } from "#/lib/base64.ts";
import type { LedgerEntry } from "./entry.ts";

/** Without a newline at its end. One of version 1 was logged before node and policy were. */
export function entryText(entry: LedgerEntry): string {
  const isFirst = entry.policy === "";
  return JSON.stringify({
    version: isFirst ? 1 : 2,
    id: entry.id,
    namespace: entry.namespace,
    serviceAccount: entry.serviceAccount,
    pod: entry.pod,
    podUid: entry.podUid,
    ...(isFirst ? {} : { node: entry.node, policy: entry.policy }),
    address: entry.address,
    tokenHash: entry.tokenHash,
    issuedAt: entry.issuedAt,
    notBefore: entry.notBefore,
    notAfter: entry.notAfter,
    serial: entry.serial,
    issuerSerial: entry.issuerSerial,
    keyFingerprint: entry.keyFingerprint,
    certificate: base64(entry.certificate),
  });
}
