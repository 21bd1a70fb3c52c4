import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "ava";
import { hashLeaf, hashNode } from "#/transparency/hash.ts";
import type { Digest } from "#/transparency/hash.ts";
import { logEntries, places } from "#/test/kit/ledger.ts";
import { isConsistent, isIncluded } from "#/transparency/verify.ts";
import { entryText } from "./entry-text.ts";
import type { LedgerEntry } from "./entry.ts";
import { LedgerReader, LedgerStore } from "./store.ts";

function entry(serial: string): LedgerEntry {
  return { ...logEntries(0, 1)[0]!, serial, keyFingerprint: serial };
}

const entries = logEntries;

/** The root as RFC 9162 defines it, of the entries alone. */
function definition(leaves: readonly Digest[]): Digest {
  if (leaves.length === 1) return leaves[0]!;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return hashNode(definition(leaves.slice(0, split)), definition(leaves.slice(split)));
}

const leavesOf = (all: readonly LedgerEntry[]): readonly Digest[] =>
  all.map((each) => hashLeaf(Buffer.from(entryText(each))));

const hex = (digest: Digest): string => Buffer.from(digest).toString("hex");

class Folder implements Disposable {
  readonly #path = mkdtempSync(path.join(tmpdir(), "signet-hashes-"));
  readonly file = path.join(this.#path, "ledger.sqlite");

  [Symbol.dispose](): void {
    rmSync(this.#path, { recursive: true });
  }
}

test("the tree of a ledger is that of its entries, over transactions and restarts", (t) => {
  using folder = new Folder();
  let size = 0;
  for (const next of [1, 2, 3, 255, 256, 257, 600]) {
    using store = new LedgerStore(folder.file);
    store.write(entries(size, next));
    size = next;
    const { root } = store.head();
    t.is(hex(root), hex(definition(leavesOf(entries(0, size)))));
  }
  using reader = new LedgerReader(folder.file);
  const head = reader.head();
  for (const index of [0, 1, 254, 255, 256, 511, 512, 599]) {
    const [leaf] = leavesOf([entry(index.toString(16))]);
    t.true(isIncluded(leaf!, index, head, reader.inclusion(index, size)), String(index));
  }
  for (const before of [1, 2, 255, 256, 257, 512, 600]) {
    const earlier = { size: before, root: definition(leavesOf(entries(0, before))) };
    t.true(isConsistent(earlier, head, reader.consistency(before, size)), String(before));
  }
});

test("a turn that could not be written leaves the tree as it was", (t) => {
  using store = new LedgerStore(":memory:");
  store.write(entries(0, 3));
  const before = store.head();
  const bad = { ...entry("ff"), issuedAt: "no number" as unknown as number };
  t.throws(() => store.write([entry("4"), bad]), { code: "ledger_failed" });
  t.deepEqual(store.head(), before);
  t.deepEqual(places(store.write([entry("3")])), [3]);
  t.is(hex(store.head().root), hex(definition(leavesOf(entries(0, 4)))));
});

test("an entry that was refused is no leaf", (t) => {
  using store = new LedgerStore(":memory:");
  store.write(entries(0, 1));
  const written = store.write([{ ...entry("0"), podUid: "another" }, entry("1")]);
  t.deepEqual(places(written), ["key_reused", 1]);
  t.is(hex(store.head().root), hex(definition(leavesOf(entries(0, 2)))));
});

test("a ledger from before there was a tree gets one", (t) => {
  using folder = new Folder();
  {
    using store = new LedgerStore(folder.file);
    store.write(entries(0, 1500));
  }
  {
    using database = new DatabaseSync(folder.file);
    database.exec("DROP TABLE hashes");
  }
  using store = new LedgerStore(folder.file);
  t.is(hex(store.head().root), hex(definition(leavesOf(entries(0, 1500)))));
});

for (const change of ["UPDATE hashes SET hash = x'00'", "DELETE FROM hashes"]) {
  test(`the database refuses "${change}"`, (t) => {
    using folder = new Folder();
    {
      using store = new LedgerStore(folder.file);
      store.write(entries(0, 2));
    }
    using database = new DatabaseSync(folder.file);
    t.throws(() => database.exec(change), { message: /append-only/ });
  });
}

test("an entry changed behind the ledger's back is found: its leaf leads nowhere", (t) => {
  using folder = new Folder();
  {
    using store = new LedgerStore(folder.file);
    store.write(entries(0, 20));
  }
  {
    using database = new DatabaseSync(folder.file);
    database.exec("DROP TRIGGER entries_are_never_changed");
    database.exec("UPDATE entries SET id = 'spiffe://cluster.local/ns/a/sa/x' WHERE position = 7");
  }
  using reader = new LedgerReader(folder.file);
  const [changed] = reader.query({ before: 8, limit: 1 });
  const [leaf] = leavesOf([changed!]);
  t.false(isIncluded(leaf!, 7, reader.head(), reader.inclusion(7, 20)));
});
