// What the controllers' read API says of their logs, taken apart carefully: what is to be proven is not
// believed beforehand. Pure.
import { hashLeaf } from "#/transparency/hash.ts";
import type { Digest } from "#/transparency/hash.ts";
import { isConsistent, isIncluded } from "#/transparency/verify.ts";
import type { Tree } from "#/transparency/verify.ts";
import { MeshAccessError } from "./mesh.ts";

export interface LogHead extends Tree {
  /** The replica whose log it is. */
  readonly pod: string;
}

export interface Inclusion {
  readonly pod: string;
  readonly index: number;
  readonly head: Tree;
  /** The text that the leaf was made of. */
  readonly entry: string;
  /** The proof leads from that text to the root. */
  readonly isProven: boolean;
  readonly hashes: number;
}

type Record_ = Readonly<Record<string, unknown>>;

/** The answers of /v1/log/head. Throws MeshAccessError. */
export function readHeads(answers: readonly unknown[]): readonly LogHead[] {
  return answers.map((answer) => headOf(text(answer, "pod"), record(answer, "head")));
}

/** The answers of /v1/log/inclusion; null when no log has it. Throws MeshAccessError. */
export function readInclusion(answers: readonly unknown[]): Inclusion | null {
  const found = answers.find((answer) => field(answer, "inclusion") !== null);
  if (found === undefined) return null;
  const told = record(found, "inclusion");
  const index = number(told, "index");
  const entry = text(told, "entry");
  const head = readTree(record(told, "head"));
  const proof = readProof(told);
  const leaf = hashLeaf(Buffer.from(entry));
  const isProven = isIncluded(leaf, index, head, proof);
  return { pod: text(found, "pod"), index, head, entry, isProven, hashes: proof.length };
}

export interface Growth {
  readonly now: LogHead;
  /** What was seen then is the beginning of what is there now. */
  readonly isProven: boolean;
}

/** The answers of /v1/log/consistency on what was seen; null when nobody has that log now. */
export function readGrowth(answers: readonly unknown[], seen: LogHead): Growth | null {
  const found = answers.find(
    (answer) => field(answer, "pod") === seen.pod && field(answer, "consistency") !== null,
  );
  if (found === undefined) return null;
  const told = record(found, "consistency");
  const now = headOf(seen.pod, record(told, "head"));
  return { now, isProven: isConsistent(seen, now, readProof(told)) };
}

/** What `signet log head -o json` printed. Throws MeshAccessError. */
export function readSavedHeads(value: unknown): readonly LogHead[] {
  const logs = field(value, "logs");
  if (!Array.isArray(logs)) throw unreadable('no list "logs"');
  return logs.map((each: unknown) => headOf(text(each, "pod"), each));
}

function headOf(pod: string, tree: unknown): LogHead {
  const { size, root } = readTree(tree);
  return { pod, size, root };
}

function readTree(value: unknown): Tree {
  return { size: number(value, "size"), root: digest(text(value, "root")) };
}

function readProof(value: unknown): readonly Digest[] {
  const proof = field(value, "proof");
  if (!Array.isArray(proof)) throw unreadable("no proof");
  return proof.map((each: unknown) => {
    if (typeof each !== "string") throw unreadable("a proof of another form");
    return digest(each);
  });
}

function digest(encoded: string): Digest {
  const bytes = Buffer.from(encoded, "base64");
  if (bytes.length !== 32) throw unreadable("a hash of another length");
  return bytes;
}

function record(value: unknown, name: string): Record_ {
  const found = field(value, name);
  if (typeof found === "object" && found !== null) return found as Record_;
  throw unreadable(`no "${name}"`);
}

function text(value: unknown, name: string): string {
  const found = field(value, name);
  if (typeof found === "string") return found;
  throw unreadable(`no "${name}"`);
}

function number(value: unknown, name: string): number {
  const found = field(value, name);
  if (typeof found === "number") return found;
  throw unreadable(`no "${name}"`);
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record_)[name] : undefined;
}

function unreadable(state: string): MeshAccessError {
  return new MeshAccessError("unreadable", `Cannot read what is told of the log: ${state}`, {
    next: "Command line and mesh may be of different versions: compare with signet version",
  });
}
