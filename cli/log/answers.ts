// What the controllers' read API says of their logs, taken apart carefully: what is to be proven is not
// believed beforehand. Pure.
import { base64 } from "#/lib/base64.ts";
import { hashLeaf } from "#/transparency/hash.ts";
import type { Digest } from "#/transparency/hash.ts";
import { isConsistent, isIncluded } from "#/transparency/verify.ts";
import type { Tree } from "#/transparency/verify.ts";
import type { Frontier } from "#/transparency/frontier.ts";
import type { IssuedCertificate } from "../issued.ts";
import { MeshAccessError } from "../mesh.ts";

export interface LogHead extends Tree {
  /** The replica whose log it is. */
  readonly pod: string;
}

/** A head with what vouches for it, as it is told: signed.ts checks that. */
export interface ToldHead extends LogHead {
  /** Entries before this one are pruned. */
  readonly first: number;
  /** null: the replica has no issuer that is valid now. */
  readonly signed: SignedHead | null;
}

export interface SignedHead {
  /** A signed note. */
  readonly checkpoint: string;
  /** The log's own key, "name+hash+base64". */
  readonly key: string;
  /** DER of the issuer and what leads from it to the root, without the root. */
  readonly issuer: readonly Uint8Array[];
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

/** As many as a tree has. */
const edgeLevelsMax = 49;

type Record_ = Readonly<Record<string, unknown>>;

/** The answers of /v1/log/head. Throws MeshAccessError. */
export function readHeads(answers: readonly unknown[]): readonly ToldHead[] {
  return answers.map((answer) => ({
    ...headOf(text(answer, "pod"), record(answer, "head")),
    first: number(answer, "first"),
    signed: field(answer, "checkpoint") === null ? null : signedHead(answer),
  }));
}

function signedHead(answer: unknown): SignedHead {
  const checkpoint = text(answer, "checkpoint");
  const issuer = texts(answer, "issuer").map((each) => Buffer.from(each, "base64"));
  return { checkpoint, key: text(answer, "key"), issuer };
}

/** The answers of /v1/log/entries; null when nobody has that log now. Throws MeshAccessError. */
export function readEntryTexts(answers: readonly unknown[]): readonly string[] | null {
  const found = answers.find((answer) => field(answer, "entries") !== null);
  return found === undefined ? null : texts(found, "entries");
}

/** The answers of /v1/log/tiles; null when nobody has that log now. Throws MeshAccessError. */
export function readTileHashes(answers: readonly unknown[]): readonly Digest[] | null {
  const found = answers.find((answer) => field(answer, "tiles") !== null);
  return found === undefined ? null : texts(found, "tiles").map(digest);
}

/** The answers of /v1/log/edge; null when nobody has that log now. Throws MeshAccessError. */
export function readEdge(answers: readonly unknown[], size: number): Frontier | null {
  const found = answers.find((answer) => field(answer, "edge") !== null);
  if (found === undefined) return null;
  const told = field(found, "edge");
  if (!Array.isArray(told) || told.length > edgeLevelsMax) throw unreadable("no edge");
  const hashes = told.map((each: unknown) => {
    if (each === null) return undefined;
    return digest(typeof each === "string" ? each : "");
  });
  // What is there must be what a tree of that size ends with, or growing it would be no tree.
  const isEdge = hashes.every((hash, level) => isSet(size, level) === (hash !== undefined));
  if (!isEdge || 2 ** hashes.length <= size) throw unreadable("an edge of another tree");
  return { size, hashes };
}

function isSet(size: number, bit: number): boolean {
  return Math.floor(size / 2 ** bit) % 2 === 1;
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

/** The entry's own certificate is the one that was asked about, byte for byte. */
export function isEntryOf({ entry }: Inclusion, { chain, id }: IssuedCertificate): boolean {
  try {
    const told = JSON.parse(entry) as { readonly certificate?: unknown; readonly id?: unknown };
    const leaf = chain[0];
    return leaf !== undefined && told.certificate === base64(leaf) && told.id === id;
  } catch {
    return false;
  }
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

function texts(value: unknown, name: string): readonly string[] {
  const found = field(value, name);
  if (Array.isArray(found) && found.every((each) => typeof each === "string")) return found;
  throw unreadable(`no list "${name}"`);
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
