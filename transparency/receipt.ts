// What a log gives back for a certificate: the entry, and a proof that whoever has it can hold against a head
// that the certificate's own issuer has signed. Pure but for node:crypto; what comes in is somebody else's
// word.
import { X509Certificate } from "node:crypto";
import { base64 } from "#/lib/base64.ts";
import { messageOf } from "#/lib/errors.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { digestBytes, hashLeaf } from "./hash.ts";
import type { Digest } from "./hash.ts";
import { openNote } from "./note.ts";
import { isIncluded } from "./verify.ts";

export interface Receipt {
  /** A signed note: the log's head with the entry in it. */
  readonly checkpoint: string;
  /** Position of the entry, from 0. */
  readonly index: number;
  /** The bytes that the leaf was made of: JSON with the certificate's DER in base64. */
  readonly entry: Uint8Array;
  /** The siblings on the way from the leaf to the root, lowest first: at most 48 hashes of 32 bytes. */
  readonly path: Uint8Array;
}

/** Under which an issuer signs heads; which issuer it is, its key tells. */
export const issuerSignerName = "signet.dev/issuer";

/**
 * Why the first certificate of the chain (DER, leaf first) cannot be said to stand in a log for which its
 * issuer vouches; null: it stands there.
 */
export function receiptFault(receipt: Receipt, chain: readonly Uint8Array[]): string | null {
  const [leaf, issuer] = chain;
  if (leaf === undefined || issuer === undefined) return "the chain has no issuer";
  if (certificateIn(receipt.entry) !== base64(leaf)) {
    return "the entry is another certificate's";
  }
  const siblings = siblingsOf(receipt.path);
  if (siblings === null) return "the proof is no sequence of hashes";
  try {
    const verifier = { name: issuerSignerName, key: new X509Certificate(issuer).publicKey };
    const head = readCheckpoint(openNote(receipt.checkpoint, [verifier]).text);
    const isGood = isIncluded(hashLeaf(receipt.entry), receipt.index, head, siblings);
    return isGood ? null : "the entry is not in the log whose head is told";
  } catch (thrown) {
    return messageOf(thrown);
  }
}

export function pathBytes(siblings: readonly Digest[]): Uint8Array {
  const bytes = new Uint8Array(siblings.length * digestBytes);
  for (const [at, sibling] of siblings.entries()) bytes.set(sibling, at * digestBytes);
  return bytes;
}

/** null: these bytes are no path. */
function siblingsOf(path: Uint8Array): readonly Digest[] | null {
  if (path.length % digestBytes !== 0) return null;
  return Array.from({ length: path.length / digestBytes }, (_each, at) =>
    path.subarray(at * digestBytes, (at + 1) * digestBytes),
  );
}

/** null: these bytes are no entry. */
function certificateIn(entry: Uint8Array): unknown {
  try {
    const told: unknown = JSON.parse(Buffer.from(entry).toString("utf8"));
    return (told as { readonly certificate?: unknown } | null)?.certificate ?? null;
  } catch {
    return null;
  }
}
