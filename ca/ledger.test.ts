import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "ava";
import { openLedger, pendingMax, recordsMax } from "./ledger.ts";
import type { LedgerEntry } from "./ledger.ts";

function entry(change: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    id: "spiffe://cluster.local/ns/a/sa/b",
    namespace: "a",
    serviceAccount: "b",
    pod: "b-1",
    podUid: "uid-1",
    address: "10.0.0.7",
    tokenHash: "ee",
    issuedAt: 1_000,
    notBefore: 0,
    notAfter: 900_000,
    serial: "40aa",
    issuerSerial: "40bb",
    certificate: Uint8Array.of(0x30, 1),
    publicKey: Uint8Array.of(1),
    ...change,
  };
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
    using ledger = openLedger(folder.file);
    t.deepEqual(await Promise.all([ledger.append(entry()), ledger.append(entry())]), [0, 1]);
  }
  using ledger = openLedger(folder.file);
  t.is(await ledger.append(entry({ serial: "40cc" })), 2);
  t.deepEqual(
    ledger.query({}).map(({ index }) => index),
    [2, 1, 0],
  );
});

test("append is on disk when it resolves: another connection sees it", async (t) => {
  using folder = new Folder();
  using ledger = openLedger(folder.file);
  await ledger.append(entry());
  using other = new DatabaseSync(folder.file, { readOnly: true });
  t.is(other.prepare("SELECT count(*) AS n FROM entries").get()?.["n"], 1);
  t.is(other.prepare("PRAGMA journal_mode").get()?.["journal_mode"], "wal");
});

test("append waits for the end of the turn, so that its entries share one transaction", async (t) => {
  using ledger = openLedger(":memory:");
  const all = Promise.all(Array.from({ length: 50 }, () => ledger.append(entry())));
  t.is(ledger.query({}).length, 0);
  t.deepEqual(
    await all,
    Array.from({ length: 50 }, (_, index) => index),
  );
});

test("append refuses past pendingMax, and serves again after the turn", async (t) => {
  using ledger = openLedger(":memory:");
  const fitting = Array.from({ length: pendingMax }, () => ledger.append(entry()));
  await t.throwsAsync(ledger.append(entry()), { code: "ledger_full" });
  t.is((await Promise.all(fitting)).length, pendingMax);
  t.is(await ledger.append(entry()), pendingMax);
});

test("append refuses the key of another pod, and the refused entry takes no position", async (t) => {
  using ledger = openLedger(":memory:");
  t.is(await ledger.append(entry()), 0);
  await t.throwsAsync(ledger.append(entry({ podUid: "uid-2" })), { code: "key_reused" });
  t.is(await ledger.append(entry({ podUid: "uid-2", publicKey: Uint8Array.of(2) })), 1);
});

test("append keeps nothing of a turn that could not be written", async (t) => {
  using folder = new Folder();
  using ledger = openLedger(folder.file);
  await ledger.append(entry());
  using other = new DatabaseSync(folder.file);
  other.exec("BEGIN IMMEDIATE");
  await t.throwsAsync(ledger.append(entry()), { code: "ledger_failed" });
  other.exec("ROLLBACK");
  t.is(await ledger.append(entry()), 1);
  t.is(ledger.size(), 2);
});

test("append gives up no position when the second entry of a turn cannot be written", async (t) => {
  using ledger = openLedger(":memory:");
  const outcomes = await Promise.allSettled([
    ledger.append(entry()),
    // SQLite has no such number: it becomes NULL, which the column refuses.
    ledger.append(entry({ notAfter: Number.NaN })),
  ]);
  t.deepEqual(
    outcomes.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  t.is(await ledger.append(entry()), 0);
});

for (const statement of ["UPDATE entries SET id = 'x'", "DELETE FROM entries"]) {
  test(`openLedger makes the database refuse "${statement}"`, async (t) => {
    using folder = new Folder();
    using ledger = openLedger(folder.file);
    await ledger.append(entry());
    using other = new DatabaseSync(folder.file);
    t.throws(() => other.exec(statement), { message: /append-only/ });
  });
}

test("openLedger refuses a file that is no database, and does not replace it", (t) => {
  using folder = new Folder();
  writeFileSync(folder.file, "not a database ".repeat(100));
  t.throws(() => openLedger(folder.file), { name: "CaError", code: "ledger_failed" });
});

test("query finds by namespace, pod and time, newest first, and reads on", async (t) => {
  using ledger = openLedger(":memory:");
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
  t.deepEqual(positions({ validAt: 600 }), [3, 2, 0]);
  t.deepEqual(positions({ limit: 2 }), [3, 2]);
  t.deepEqual(positions({ before: 2 }), [1, 0]);
  t.deepEqual(positions({ namespace: "a' OR 1=1 --" }), []);
});

test("query never answers with more than recordsMax", async (t) => {
  using ledger = openLedger(":memory:");
  for (let turn = 0; turn < 2; turn += 1) {
    await Promise.all(Array.from({ length: 600 }, () => ledger.append(entry())));
  }
  t.is(ledger.query({}).length, recordsMax);
  t.is(ledger.query({ limit: 1_000_000 }).length, recordsMax);
  t.is(ledger.query({ limit: -5 }).length, 1);
});
