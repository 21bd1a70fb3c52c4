import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "ava";
import { logEntries } from "#/test/kit/ledger.ts";
import { entryText } from "./entry-text.ts";
import { LedgerStore } from "./store.ts";

test("entryText says node and policy, and of an entry from before there were any says the same as then", (t) => {
  const [entry] = logEntries(0, 1);
  const fields = (one: typeof entry): string[] =>
    Object.keys(JSON.parse(entryText(one!)) as object);
  t.deepEqual(fields(entry).slice(0, 9), [
    "version",
    "id",
    "namespace",
    "serviceAccount",
    "pod",
    "podUid",
    "node",
    "policy",
    "address",
  ]);
  const before = { ...entry!, node: "", policy: "" };
  t.false(fields(before).includes("node"));
  t.regex(entryText(before), /^\{"version":1,/);
  t.regex(entryText(entry!), /^\{"version":2,/);
});

test("a ledger from before entries said node and policy goes on as the same log", (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-versions-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, "ledger.sqlite");
  const old = logEntries(0, 3, { node: "", policy: "" });
  let head;
  {
    using store = new LedgerStore(file);
    store.write(old);
    head = store.head();
  }
  {
    using database = new DatabaseSync(file);
    for (const column of ["node", "policy"]) {
      database.exec(`ALTER TABLE entries DROP COLUMN ${column}`);
    }
  }
  using store = new LedgerStore(file);
  t.deepEqual(store.head(), head);
  store.write(logEntries(3, 5));
  t.deepEqual(store.texts(0, 5), [...old, ...logEntries(3, 5)].map(entryText));
});
