import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "ava";
import { silentLog } from "#/lib/log.ts";
import { logEntries } from "#/test/kit/ledger.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { frontierRoot, grow } from "#/transparency/frontier.ts";
import { hashLeaf } from "#/transparency/hash.ts";
import { isConsistent, isIncluded } from "#/transparency/verify.ts";
import { entryText } from "./entry-text.ts";
import type { LedgerEntry } from "./entry.ts";
import { openLedger } from "./ledger.ts";
import { keepPruned } from "./pruning.ts";
import { LedgerStore } from "./store.ts";
import { systemClock } from "#/lib/clock.ts";

/** The first `ended` of them end at 1000, the others at 9000. */
function entries(count: number, ended: number): readonly LedgerEntry[] {
  const first = logEntries(0, ended, { notAfter: 1000 });
  return [...first, ...logEntries(ended, count, { notAfter: 9000 })];
}

const leaf = (entry: LedgerEntry): Uint8Array => hashLeaf(Buffer.from(entryText(entry)));

class Folder implements Disposable {
  readonly #path = mkdtempSync(path.join(tmpdir(), "signet-prune-"));
  readonly file = path.join(this.#path, "ledger.sqlite");

  [Symbol.dispose](): void {
    rmSync(this.#path, { recursive: true });
  }
}

for (const [count, ended, first] of [
  [100, 100, 0],
  [256, 256, 0],
  [257, 257, 256],
  [1000, 300, 256],
  [1000, 600, 512],
  [1000, 255, 0],
  [1024, 1024, 768],
] as const) {
  test(`of ${count} entries, ${ended} of them ended, ${first} are pruned`, (t) => {
    using store = new LedgerStore(":memory:");
    const all = entries(count, ended);
    store.write(all);
    t.deepEqual(store.prune(1001), { first, isDone: true });
    t.is(store.first(), first);
    t.is(store.size(), count);
    t.deepEqual(store.texts(0, count), all.slice(first).map(entryText));
  });
}

test("what is kept of a pruned log is proven as before, and it grows as before", (t) => {
  using folder = new Folder();
  const all = entries(1000, 700);
  const more = logEntries(1000, 1700);
  const heads = [];
  {
    using store = new LedgerStore(folder.file);
    store.write(all);
    heads.push(store.head());
    store.prune(1001);
    t.is(store.first(), 512);
  }
  using store = new LedgerStore(folder.file);
  t.deepEqual(store.head(), heads[0]);
  store.write(more);
  const head = store.head();
  for (const index of [512, 513, 767, 768, 999, 1000, 1699]) {
    const proof = store.inclusion(index, head.size);
    t.true(isIncluded(leaf([...all, ...more][index]!), index, head, proof), String(index));
  }
  for (const before of [512, 600, 768, 1000, 1024, 1699]) {
    const edge = store.edge(before);
    const proof = store.consistency(before, head.size);
    t.true(isConsistent({ size: before, root: frontierRoot(edge) }, head, proof), String(before));
  }
  let edge = store.edge(512);
  for (const text of store.texts(512, 1700)) {
    edge = grow(edge, hashLeaf(Buffer.from(text)), () => undefined);
  }
  t.deepEqual(frontierRoot(edge), head.root);
  t.throws(() => store.inclusion(511, head.size), { message: /lacks hashes/ });
});

test("pruning goes on in steps, and forgets nothing that has not ended", (t) => {
  using store = new LedgerStore(":memory:");
  store.write(entries(10_000, 9000));
  t.deepEqual(store.prune(1001), { first: 4096, isDone: false });
  t.deepEqual(store.prune(1001), { first: 8192, isDone: false });
  t.deepEqual(store.prune(1001), { first: 8960, isDone: true });
  t.deepEqual(store.prune(1001), { first: 8960, isDone: true });
  t.deepEqual(store.prune(0), { first: 8960, isDone: true });
});

for (const statement of [
  "DELETE FROM entries WHERE position = 256",
  "DELETE FROM hashes WHERE level = 0 AND position = 256",
  "DELETE FROM hashes WHERE level = 8",
  "INSERT INTO pruned (first) VALUES (256)",
  "UPDATE pruned SET first = 900",
  "DELETE FROM pruned",
]) {
  test(`the database of a pruned log refuses "${statement}"`, (t) => {
    using folder = new Folder();
    using store = new LedgerStore(folder.file);
    store.write(entries(600, 300));
    store.prune(1001);
    using other = new DatabaseSync(folder.file);
    t.throws(() => other.exec(statement), {
      message: /append-only|does not come back/,
    });
  });
}

test("keepPruned forgets what ended longer ago than it is kept, while entries come", async (t) => {
  using folder = new Folder();
  const clock = new ManualClock(0);
  await using ledger = await openLedger(folder.file, systemClock);
  await Promise.all(entries(600, 300).map((entry) => ledger.append(entry)));
  using _pruning = keepPruned({ ledger, keepMs: 5000, clock, log: silentLog });
  const steps = [0, 600_000, 600_000];
  const seen: number[] = [];
  for (const [at, step] of steps.entries()) {
    clock.advance(step);
    const next = 700 + at * 20;
    const more = await Promise.all(
      logEntries(next, next + 20).map((entry) => ledger.append(entry)),
    );
    t.is(more.length, 20);
    seen.push(ledger.first());
  }
  t.deepEqual(seen, [0, 512, 512]);
  t.is(ledger.size(), 660);
});
