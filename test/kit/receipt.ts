// A log of one entry, as its issuer would vouch for it.
import { base64 } from "#/lib/base64.ts";
import type { KeyObject } from "node:crypto";
import { checkpointText } from "#/transparency/checkpoint.ts";
import { hashLeaf } from "#/transparency/hash.ts";
import { signNote } from "#/transparency/note.ts";
import { issuerSignerName } from "#/transparency/receipt.ts";
import type { Receipt } from "#/transparency/receipt.ts";

export function receiptFor(leaf: Uint8Array, issuerKey: KeyObject): Receipt {
  const entry = Buffer.from(JSON.stringify({ certificate: base64(leaf) }));
  const head = checkpointText({ origin: "signet.dev/log/test", size: 1, root: hashLeaf(entry) });
  const checkpoint = signNote(head, [{ name: issuerSignerName, privateKey: issuerKey }]);
  return { checkpoint, index: 0, entry, path: new Uint8Array(0) };
}
