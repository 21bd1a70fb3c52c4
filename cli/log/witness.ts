// A witness remembers how long each log was and what it came to, and takes nothing back: what it has seen must
// be the beginning of what it is shown. Pure but for the file that it keeps.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { messageOf } from "#/lib/errors.ts";
import { readCheckpoint } from "#/transparency/checkpoint.ts";
import { openNote, readVerifier } from "#/transparency/note.ts";
import { MeshAccessError } from "../mesh.ts";
import type { LogHead, SignedHead } from "./answers.ts";

/** A head that was seen, with its signatures: evidence, should the log say otherwise later. */
export interface Seen extends LogHead {
  readonly origin: string;
  readonly checkpoint: string;
  readonly key: string;
  /** Milliseconds since the Unix epoch. */
  readonly seenAt: number;
}

export function seenOf(head: LogHead, signed: SignedHead, origin: string, seenAt: number): Seen {
  const { pod, size, root } = head;
  const { checkpoint, key } = signed;
  return { pod, size, root, origin, checkpoint, key, seenAt };
}

/** What the file holds, by the log's name; nothing when there is no file. Throws MeshAccessError. */
export function readSeen(file: string): ReadonlyMap<string, Seen> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return new Map();
    throw unusable(file, error);
  }
  try {
    const { logs } = JSON.parse(text) as { readonly logs: readonly Saved[] };
    return new Map(logs.map((each) => [each.origin, restored(each)]));
  } catch (error) {
    throw unusable(file, error);
  }
}

type Saved = Pick<Seen, "pod" | "origin" | "checkpoint" | "key" | "seenAt">;

/** The head is what its signature covers: a file that was changed by hand is found out. */
function restored({ pod, origin, checkpoint, key, seenAt }: Saved): Seen {
  const { size, root, ...signed } = readCheckpoint(openNote(checkpoint, [readVerifier(key)]).text);
  if (signed.origin !== origin) throw new Error(`"${origin}" is remembered by another log's head`);
  return { pod, origin, checkpoint, key, seenAt, size, root };
}

/** Whole or not at all. */
export function writeSeen(file: string, seen: Iterable<Seen>): void {
  const logs = [...seen].map(({ pod, origin, checkpoint, key, seenAt }): Saved => {
    return { pod, origin, checkpoint, key, seenAt };
  });
  writeFileSync(`${file}.new`, `${JSON.stringify({ logs }, null, 2)}\n`, { flush: true });
  renameSync(`${file}.new`, file);
}

function unusable(file: string, cause: unknown): MeshAccessError {
  return new MeshAccessError("unreadable", `Cannot use "${file}": ${messageOf(cause)}`, {
    cause,
    next: "Name another file, or remove this one: then what was seen before is not known any more",
  });
}
