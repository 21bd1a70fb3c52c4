// The log as the read API shows it: its head, its entries, and proofs that whoever asks can check without
// believing us. Each replica has a log of its own: asked for what is not in it, it says null. Roots, hashes
// and certificates are base64.
import { entryText } from "#/ca/ledger/entry-text.ts";
import { recordsMax } from "#/ca/ledger/entry.ts";
import type { HeadSigner } from "#/ca/ledger/head-signer.ts";
import type { Ledger } from "#/ca/ledger/ledger.ts";
import type { Issuer } from "#/ca/issuer.ts";
import { base64 } from "#/lib/base64.ts";
import type { AdminReply, AdminRoute } from "#/lib/admin.ts";
import { json } from "#/lib/admin.ts";
import { frontierRoot } from "#/transparency/frontier.ts";
import { tileHeight, tileWidth } from "#/transparency/tile.ts";
import { badRequest } from "./answers.ts";

export interface LogOptions {
  readonly ledger: Omit<Ledger, "append" | "prune" | typeof Symbol.asyncDispose>;
  readonly heads: Pick<HeadSigner, "sign" | "verifier">;
  /** The present issuer; throws when there is none that is valid. */
  readonly issuer: () => Issuer;
  /** Of this replica. */
  readonly pod: string;
}

const podForm = /^.{0,253}$/;
const sizeForm = /^\d{1,15}$/;

/** Unknown and unreadable parameters are answered with 400. */
export function logRoutes(options: LogOptions): Readonly<Record<string, AdminRoute>> {
  return {
    "/v1/log/head": (url) => fault(url, {}) ?? head(options),
    "/v1/log/inclusion": (url) =>
      fault(url, { serial: /^[0-9a-f]{1,40}$/ }) ?? inclusion(options, url),
    "/v1/log/consistency": (url) =>
      fault(url, { pod: podForm, before: sizeForm }, { size: sizeForm }) ??
      consistency(options, url),
    "/v1/log/entries": (url) =>
      fault(url, { pod: podForm, from: sizeForm, to: sizeForm }) ?? entries(options, url),
    "/v1/log/tiles": (url) => fault(url, { pod: podForm, before: sizeForm }) ?? tiles(options, url),
    "/v1/log/edge": (url) => fault(url, { pod: podForm, size: sizeForm }) ?? edge(options, url),
  };
}

/**
 * `checkpoint` is the head as a signed note, `key` whose signature it has, `issuer` the chain of the
 * authority that vouches for it; all null while there is no issuer that is valid.
 */
function head({ ledger, heads, issuer, pod }: LogOptions): AdminReply {
  const tree = ledger.head();
  const told = { size: tree.size, root: base64(tree.root) };
  const common = { pod, head: told, first: ledger.first() };
  try {
    const present = issuer();
    const signed = { checkpoint: heads.sign(tree, present), key: heads.verifier };
    return json({ ...common, ...signed, issuer: present.chain.map(base64) });
  } catch {
    return json({ ...common, checkpoint: null, key: null, issuer: null });
  }
}

/** The entry of that serial as its leaf was made of it, and the way from there to the present root. */
function inclusion({ ledger, pod }: LogOptions, { searchParams }: URL): AdminReply {
  const serial = searchParams.get("serial") ?? "";
  const [entry] = ledger.query({ serial, limit: 1 });
  if (entry === undefined) return json({ pod, inclusion: null });
  const { size, root } = ledger.head();
  const { index } = entry;
  const proof = ledger.inclusion(index, size).map(base64);
  const head = { size, root: base64(root) };
  return json({ pod, inclusion: { index, entry: entryText(entry), proof, head } });
}

/** That what the log of `pod` was at `before` entries is the beginning of what it was at `size`, or is now. */
function consistency({ ledger, pod }: LogOptions, { searchParams }: URL): AdminReply {
  if (searchParams.get("pod") !== pod) return json({ pod, consistency: null });
  const before = Number(searchParams.get("before"));
  const size = Math.min(ledger.size(), Number(searchParams.get("size") ?? Infinity));
  if (before < ledger.first()) return pruned(ledger.first(), `what it was at ${before}`);
  const head = { size, root: base64(frontierRoot(ledger.edge(size))) };
  // It was longer: what is to be proven is not so, and the head says it.
  const proof = before > size ? [] : ledger.consistency(before, size).map(base64);
  return json({ pod, consistency: { before, proof, head } });
}

/** Entries [from, to) as they were hashed, `recordsMax` at most. */
function entries({ ledger, pod }: LogOptions, { searchParams }: URL): AdminReply {
  if (searchParams.get("pod") !== pod) return json({ pod, entries: null });
  const from = Number(searchParams.get("from"));
  const to = Math.min(Number(searchParams.get("to")), from + recordsMax);
  if (from < ledger.first()) return pruned(ledger.first(), `entry ${from}`);
  return json({ pod, entries: ledger.texts(from, to) });
}

/** The hash of each full tile of entries, of those before `before`: what a copy of a pruned log begins with. */
function tiles({ ledger, pod }: LogOptions, { searchParams }: URL): AdminReply {
  if (searchParams.get("pod") !== pod) return json({ pod, tiles: null });
  const before = Math.floor(Number(searchParams.get("before")) / tileWidth);
  return json({ pod, tiles: ledger.tile(tileHeight, 0, before).map(base64) });
}

/** By level, the complete subtrees that the first `size` entries end with; null where there is none. */
function edge({ ledger, pod }: LogOptions, { searchParams }: URL): AdminReply {
  if (searchParams.get("pod") !== pod) return json({ pod, edge: null });
  const size = Number(searchParams.get("size"));
  if (size > ledger.size()) return badRequest(`the log has fewer than ${size} entries`);
  if (size < ledger.first()) return pruned(ledger.first(), `what it was at ${size}`);
  const { hashes } = ledger.edge(size);
  return json({ pod, edge: hashes.map((hash) => (hash === undefined ? null : base64(hash))) });
}

function pruned(first: number, what: string): AdminReply {
  return json({ error: `Cannot show ${what}: entries before ${first} are pruned`, first }, 410);
}

type Forms = Readonly<Record<string, RegExp>>;

/** Every parameter there once, of its form, and no other; those that may be missing at most once. */
function fault(url: URL, needed: Forms, optional: Forms = {}): AdminReply | null {
  const names = [...url.searchParams.keys()];
  const given = Object.entries(optional).filter(([name]) => names.includes(name));
  const forms = { ...needed, ...Object.fromEntries(given) };
  const unknown = names.find((name) => !Object.hasOwn(forms, name));
  if (unknown !== undefined) return badRequest(`parameter "${unknown.slice(0, 80)}" is unknown`);
  for (const [name, form] of Object.entries(forms)) {
    const [value, ...more] = url.searchParams.getAll(name);
    if (value === undefined || more.length > 0 || !form.test(value)) {
      return badRequest(`parameter "${name}" is not as it must be`);
    }
  }
  return null;
}
