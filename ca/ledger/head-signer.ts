// Signs the heads of the log: with the log's own key, which tools and witnesses know, and with the issuer's,
// which whoever holds a certificate has in its chain. A head is signed once for all whose entries came with
// it.
import { createPublicKey } from "node:crypto";
import { checkpointText } from "#/transparency/checkpoint.ts";
import { signNote, verifierText } from "#/transparency/note.ts";
import { issuerSignerName } from "#/transparency/receipt.ts";
import type { Tree } from "#/transparency/verify.ts";
import type { Issuer } from "../issuer.ts";
import type { LogKey } from "./log-key.ts";

export class HeadSigner {
  readonly #key: LogKey;
  #last: { readonly size: number; readonly serial: string; readonly note: string } | null = null;

  constructor(key: LogKey) {
    this.#key = key;
  }

  /** The log's own key, as tools exchange it. */
  get verifier(): string {
    const { origin, privateKey } = this.#key;
    return verifierText({ name: origin, key: createPublicKey(privateKey) });
  }

  /** The head as a signed note. `tree` is of this log, and on disk. */
  sign(tree: Tree, issuer: Pick<Issuer, "serial" | "privateKey">): string {
    const { serial } = issuer;
    if (this.#last?.size === tree.size && this.#last.serial === serial) return this.#last.note;
    const { origin, privateKey } = this.#key;
    const note = signNote(checkpointText({ origin, ...tree }), [
      { name: origin, privateKey },
      { name: issuerSignerName, privateKey: issuer.privateKey },
    ]);
    this.#last = { size: tree.size, serial, note };
    return note;
  }
}
