// The head of a log as text (C2SP tlog-checkpoint): which log, how many entries, the root over them. Pure.
import { base64 } from "#/lib/base64.ts";
import { digestBytes } from "./hash.ts";
import type { Digest } from "./hash.ts";
import { NoteError } from "./note.ts";
import { treeSizeMax } from "./tree.ts";

export interface Checkpoint {
  /** Name of the log, unique for ever: "signet.dev/cluster.local/signet-controller-0". */
  readonly origin: string;
  readonly size: number;
  readonly root: Digest;
}

/** The text of a note. */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${base64(root)}\n`;
}

/** Lines after the third are extensions, and left out of consideration. Throws NoteError. */
export function readCheckpoint(text: string): Checkpoint {
  const [origin = "", sizeText = "", rootText = ""] = text.split("\n");
  const size = /^(?:0|[1-9]\d{0,15})$/.test(sizeText) ? Number(sizeText) : Number.NaN;
  const root = Buffer.from(rootText, "base64");
  if (origin === "") throw malformed("no origin");
  if (!Number.isSafeInteger(size) || size > treeSizeMax) throw malformed("no size");
  if (root.length !== digestBytes || root.toString("base64") !== rootText) {
    throw malformed("no root");
  }
  return { origin, size, root };
}

function malformed(state: string): NoteError {
  return new NoteError("note_malformed", `Cannot read the checkpoint: it has ${state}`);
}
