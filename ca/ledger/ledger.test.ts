import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Worker } from "node:worker_threads";
import test from "ava";
import { base64 } from "#/lib/base64.ts";
import { sleep, systemClock } from "#/lib/clock.ts";
import { logEntries, openLedgerInMemory, places } from "#/test/kit/ledger.ts";
import { hashLeaf } from "#/transparency/hash.ts";
import { pathBytes } from "#/transparency/receipt.ts";
import { isIncluded } from "#/transparency/verify.ts";
import { entryText } from "./entry-text.ts";
import { recordsMax } from "./entry.ts";
import type { LedgerEntry } from "./entry.ts";
import { Ledger, gather, openLedger, pendingMax } from "./ledger.ts";
import { blocksWith } from "./schema.ts";
import { LedgerStore } from "./store.ts";
import type { LedgerWriter } from "./writer.ts";

let keys = 0;

/** With a key of its own. */
function entry(change: Partial<LedgerEntry> = {}): LedgerEntry {
  const keyFingerprint = `key ${keys++}`;
  return logEntries(0, 1, { serial: "40aa", keyFingerprint, ...change })[0]!;
}

/** Where the entry stands. */
async function place(ledger: Ledger, one: LedgerEntry = entry()): Promise<number> {
  return (await ledger.append(one)).index;
}

class Folder implements Disposable {
  readonly #path = mkdtempSync(path.join(tmpdir(), "signet-ledger-"));
  readonly file = path.join(this.#path, "ledger.sqlite");

  [Symbol.dispose](): void {
    rmSync(this.#path, { recursive: true });
  }
}

test("openLedger keeps positions and entries over a restart", async (t) => {
  using folder = new Folder();
  {
    await using ledger = await openLedger(folder.file, systemClock);
    t.deepEqual(await Promise.all([place(ledger), place(ledger)]), [0, 1]);
  }
  await using ledger = await openLedger(folder.file, systemClock);
  t.is(await place(ledger, entry({ serial: "40cc" })), 2);
  t.deepEqual(
    ledger.query({}).map(({ index }) => index),
    [2, 1, 0],
  );
});

test("append is on disk when it resolves: another connection sees it", async (t) => {
  using folder = new Folder();
  await using ledger = await openLedger(folder.file, systemClock);
  await ledger.append(entry());
  using other = new DatabaseSync(folder.file, { readOnly: true });
  t.is(other.prepare("SELECT count(*) AS n FROM entries").get()?.["n"], 1);
  t.is(other.prepare("PRAGMA journal_mode").get()?.["journal_mode"], "wal");
});

test("append waits for the end of the turn, so that its entries share one transaction", async (t) => {
  await using ledger = openLedgerInMemory();
  const all = Promise.all(Array.from({ length: 50 }, () => place(ledger)));
  t.is(ledger.query({}).length, 0);
  t.deepEqual(
    await all,
    Array.from({ length: 50 }, (_, index) => index),
  );
});

test("append refuses past pendingMax, and serves again after the turn", async (t) => {
  await using ledger = openLedgerInMemory();
  const fitting = Array.from({ length: pendingMax }, () => ledger.append(entry()));
  await t.throwsAsync(ledger.append(entry()), { code: "ledger_full" });
  t.is((await Promise.all(fitting)).length, pendingMax);
  t.is(await place(ledger), pendingMax);
});

test("attack-10 append refuses a key that it has, whosever it is, and what is refused takes no position", async (t) => {
  await using ledger = openLedgerInMemory();
  const keyFingerprint = "aa";
  t.is(await place(ledger, entry({ keyFingerprint })), 0);
  for (const podUid of ["uid-1", "uid-2"]) {
    const again = entry({ keyFingerprint, podUid, serial: "40ab" });
    await t.throwsAsync(ledger.append(again), { code: "key_reused" });
  }
  t.is(await place(ledger, entry({ podUid: "uid-2" })), 1);
});

test("attack-10 append takes one of those that come with one key at once, and knows it after a restart", async (t) => {
  using folder = new Folder();
  const one = entry();
  {
    await using ledger = await openLedger(folder.file, systemClock);
    const all = await Promise.allSettled([one, one, one].map((each) => ledger.append(each)));
    t.is(all.filter(({ status }) => status === "fulfilled").length, 1);
  }
  await using ledger = await openLedger(folder.file, systemClock);
  await t.throwsAsync(ledger.append(one), { code: "key_reused" });
});

test("append keeps nothing of a turn that could not be written", async (t) => {
  using folder = new Folder();
  await using ledger = await openLedger(folder.file, systemClock);
  await ledger.append(entry());
  using other = new DatabaseSync(folder.file);
  other.exec("BEGIN IMMEDIATE");
  await t.throwsAsync(ledger.append(entry()), { code: "ledger_failed" });
  other.exec("ROLLBACK");
  t.is(await place(ledger), 1);
  t.is(ledger.size(), 2);
});

test("append gives up no position when the second entry of a turn cannot be written", async (t) => {
  await using ledger = openLedgerInMemory();
  const outcomes = await Promise.allSettled([
    ledger.append(entry()),
    // SQLite has no such number: it becomes NULL, which the column refuses.
    ledger.append(entry({ notAfter: Number.NaN })),
  ]);
  t.deepEqual(
    outcomes.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  t.is(await place(ledger), 0);
});

for (const statement of ["UPDATE entries SET id = 'x'", "DELETE FROM entries"]) {
  test(`openLedger makes the database refuse "${statement}"`, async (t) => {
    using folder = new Folder();
    await using ledger = await openLedger(folder.file, systemClock);
    await ledger.append(entry());
    using other = new DatabaseSync(folder.file);
    t.throws(() => other.exec(statement), { message: /append-only/ });
  });
}

test("openLedger refuses a file that is no database, and does not replace it", async (t) => {
  using folder = new Folder();
  writeFileSync(folder.file, "not a database ".repeat(100));
  await t.throwsAsync(openLedger(folder.file, systemClock), {
    name: "CaError",
    code: "ledger_failed",
  });
});

test("query finds by namespace and pod, newest first, and reads on", async (t) => {
  await using ledger = openLedgerInMemory();
  await Promise.all([
    ledger.append(entry({ pod: "b-1" })),
    ledger.append(entry({ pod: "b-2", notAfter: 500 })),
    ledger.append(entry({ namespace: "c", pod: "b-1" })),
    ledger.append(entry({ pod: "b-1", serial: "40dd" })),
  ]);
  const positions = (query: Parameters<typeof ledger.query>[0]): number[] =>
    ledger.query(query).map(({ index }) => index);
  t.deepEqual(positions({ namespace: "a" }), [3, 1, 0]);
  t.deepEqual(positions({ namespace: "a", pod: "b-1" }), [3, 0]);
  t.deepEqual(positions({ limit: 2 }), [3, 2]);
  t.deepEqual(positions({ before: 2 }), [1, 0]);
  t.deepEqual(positions({ namespace: "a' OR 1=1 --" }), []);
});

test("query finds a pod's entries in every block of the file, newest first, and reads on", async (t) => {
  using folder = new Folder();
  using store = new LedgerStore(folder.file);
  const entries = Array.from({ length: 3_100 }, (_each, index) =>
    entry({
      pod: index % 1_000 === 999 ? "rare-0" : `often-${index % 7}`,
      serial: `40${index.toString(16).padStart(6, "0")}`,
      keyFingerprint: index.toString(16),
    }),
  );
  store.write(entries);
  const indexes = (query: Parameters<LedgerStore["query"]>[0]): readonly number[] =>
    store.query(query).map(({ index }) => index);
  t.deepEqual(indexes({ namespace: "a", pod: "rare-0" }), [2_999, 1_999, 999]);
  t.deepEqual(indexes({ namespace: "a", pod: "rare-0", limit: 2 }), [2_999, 1_999]);
  t.deepEqual(indexes({ namespace: "a", pod: "rare-0", before: 1_999 }), [999]);
  t.deepEqual(indexes({ namespace: "a", limit: 3 }), [3_099, 3_098, 3_097]);
  t.deepEqual(indexes({ namespace: "a", before: 2_050, limit: 1_000 }).at(-1), 1_050);
  t.deepEqual(indexes({ namespace: "b" }), []);
  t.deepEqual(indexes({ namespace: "a", serial: "40000010" }), [16]);
});

for (const [whose, values, columns] of [
  ["namespace", ["a"], "namespace=?"],
  ["pod", ["a", "none"], "namespace=? AND pod=?"],
] as const) {
  test(`query looks for the blocks of a ${whose} in the index alone, a step for each`, (t) => {
    using folder = new Folder();
    using _store = new LedgerStore(folder.file);
    using database = new DatabaseSync(folder.file);
    const statement = `EXPLAIN QUERY PLAN ${blocksWith(whose === "pod")}`;
    const plan = database.prepare(statement).all(1000, 0, ...values);
    const steps = plan.map(({ detail }) => String(detail)).filter((step) => /entries/.test(step));
    t.is(steps.length, 1);
    const search = `USING COVERING INDEX entries_by_block (<expr>=? AND ${columns})`;
    t.true(steps[0]?.endsWith(search), steps[0]);
  });
}

test("append tells keys apart that begin alike", async (t) => {
  using folder = new Folder();
  using store = new LedgerStore(folder.file);
  const start = "ab".repeat(8);
  const one = entry({ keyFingerprint: `${start}${"0".repeat(48)}` });
  const other = { keyFingerprint: `${start}${"1".repeat(48)}`, podUid: "uid-2" };
  t.deepEqual(places(store.write([one, entry({ ...one, ...other })])), [0, 1]);
  t.deepEqual(places(store.write([entry({ ...one, podUid: "uid-2" })])), ["key_reused"]);
});

test("openLedger gives a ledger the present indexes, and finds in it what was there", async (t) => {
  using folder = new Folder();
  {
    using store = new LedgerStore(folder.file);
    store.write([entry({ keyFingerprint: "aa" })]);
    const database = new DatabaseSync(folder.file);
    database.exec(`DROP INDEX entries_by_block; DROP INDEX entries_by_key_start;
      CREATE INDEX entries_by_pod ON entries (namespace, pod, position);
      CREATE INDEX entries_by_key ON entries (key_fingerprint);`);
    database.close();
  }
  using store = new LedgerStore(folder.file);
  t.is(store.query({ namespace: "a", pod: "b-1" }).length, 1);
  t.deepEqual(places(store.write([entry({ keyFingerprint: "aa" })])), ["key_reused"]);
  const database = new DatabaseSync(folder.file);
  const names = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY name")
    .all()
    .map(({ name }) => name);
  database.close();
  t.deepEqual(names, ["entries_by_block", "entries_by_key_start", "entries_by_serial"]);
});

test("query never answers with more than recordsMax", async (t) => {
  await using ledger = openLedgerInMemory();
  for (let turn = 0; turn < 2; turn += 1) {
    await Promise.all(Array.from({ length: 600 }, () => ledger.append(entry())));
  }
  t.is(ledger.query({}).length, recordsMax);
  t.is(ledger.query({ limit: 1_000_000 }).length, recordsMax);
  t.is(ledger.query({ limit: -5 }).length, 1);
});

for (const [what, told, looks] of [
  ["a turn for what comes alone", [1, 1], 2],
  ["on while each turn brings more", [1, 3, 4, 4], 4],
  ["not for ever while a rush goes on", Array.from({ length: 999 }, (_each, at) => 1 + at * 2), 65],
] as const) {
  test(`gather waits ${what}`, async (t) => {
    let seen = 0;
    await gather(systemClock, () => told[seen++]!);
    t.is(seen, looks);
  });
}

/** Holds what it is given until it is let go on. */
class SlowWriter implements LedgerWriter {
  readonly batches: (readonly LedgerEntry[])[] = [];
  readonly #store: LedgerStore;
  #letGo: () => void = () => {};

  constructor(store: LedgerStore) {
    this.#store = store;
  }

  async write(entries: readonly LedgerEntry[]): Promise<ReturnType<LedgerStore["write"]>> {
    this.batches.push(entries);
    await new Promise<void>((resolve) => (this.#letGo = resolve));
    return this.#store.write(entries);
  }

  async prune(endedBefore: number): Promise<ReturnType<LedgerStore["prune"]>> {
    return this.#store.prune(endedBefore);
  }

  letGo(): void {
    this.#letGo();
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((next) => setImmediate(next));
};

test("append gathers what comes while the disk is busy into the next transaction", async (t) => {
  const store = new LedgerStore(":memory:");
  const writer = new SlowWriter(store);
  const ledger = new Ledger(writer, store, () => turns(1));
  const first = place(ledger);
  await turns(2);
  const others = [place(ledger), place(ledger)];
  await turns(2);
  t.deepEqual(
    writer.batches.map(({ length }) => length),
    [1],
  );
  writer.letGo();
  t.is(await first, 0);
  await turns(2);
  writer.letGo();
  t.deepEqual(await Promise.all(others), [1, 2]);
  t.deepEqual(
    writer.batches.map(({ length }) => length),
    [1, 2],
  );
});

// By itself: what others do in this process would hold up the loop, too.
test.serial("append does not hold up the loop while the disk is busy", async (t) => {
  using folder = new Folder();
  await using ledger = await openLedger(folder.file, systemClock);
  using other = new DatabaseSync(folder.file);
  other.exec("BEGIN IMMEDIATE");
  const appended = place(ledger);
  const started = performance.now();
  await turns(50);
  t.true(performance.now() - started < 900, "the thread waits for the lock, not the loop");
  other.exec("ROLLBACK");
  t.is(await appended, 0);
});

test("the ledger writes what still waits before it closes, and takes nothing afterwards", async (t) => {
  using folder = new Folder();
  const ledger = await openLedger(folder.file, systemClock);
  const last = place(ledger);
  await ledger[Symbol.asyncDispose]();
  t.is(await last, 0);
  await t.throwsAsync(ledger.append(entry()), { code: "ledger_failed" });
});

// Serial: other tests hold this process's thread up for as long as the ledger's waits for its file.
test.serial(
  "a thread that died fails what it had under way, and the next entry starts another",
  async (t) => {
    using folder = new Folder();
    // Between the two threads nothing else keeps this process alive.
    const alive = setInterval(() => {}, 1000);
    t.teardown(() => clearInterval(alive));
    const threads: Worker[] = [];
    const seen = (message: unknown): void =>
      void threads.push((message as { readonly worker: Worker }).worker);
    subscribe("worker_threads", seen);
    await using ledger = await openLedger(folder.file, systemClock);
    unsubscribe("worker_threads", seen);
    using other = new DatabaseSync(folder.file);
    other.exec("BEGIN IMMEDIATE");
    const held = ledger.append(entry());
    await sleep(systemClock, 20);
    void threads[0]?.terminate();
    await t.throwsAsync(held, { code: "ledger_failed", message: /thread ended/ });
    other.exec("ROLLBACK");
    t.is(await place(ledger), 0);
  },
);

test("append proves each entry of a batch to be in the tree with all of it", async (t) => {
  const ledger = openLedgerInMemory();
  let serial = 0;
  for (const batch of [1, 1, 2, 3, 7, 1, 250, 260, 1]) {
    const entries = Array.from({ length: batch }, () => entry({ serial: `40${serial++}` }));
    const logged = await Promise.all(entries.map((each) => ledger.append(each)));
    for (const [at, { index, path: way, tree }] of logged.entries()) {
      const leaf = hashLeaf(Buffer.from(entryText(entries[at]!)));
      const siblings = ledger.inclusion(index, tree.size);
      t.deepEqual(way, pathBytes(siblings));
      t.true(isIncluded(leaf, index, tree, siblings));
      t.is(base64(tree.root), base64(ledger.head().root));
    }
  }
  await ledger[Symbol.asyncDispose]();
});
