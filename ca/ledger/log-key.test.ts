import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "ava";
import type { ExecutionContext } from "ava";
import { trustDomain } from "#/test/kit/certificate-authority.ts";
import { openLogKey } from "./log-key.ts";

function fileOf(t: ExecutionContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-log-key-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return path.join(folder, "log-key.sqlite");
}

test("openLogKey makes a key for its owner alone, once, and names the log after it", (t) => {
  const file = fileOf(t);
  const first = openLogKey(file, trustDomain, "signet-controller-0");
  t.is(statSync(file).mode & 0o777, 0o600);
  t.regex(first.origin, /^signet\.dev\/log\/cluster\.local\/signet-controller-0\/[0-9a-f]{8}$/);
  const again = openLogKey(file, trustDomain, "signet-controller-0");
  t.true(again.privateKey.equals(first.privateKey));
  t.is(again.origin, first.origin);
  t.not(openLogKey(fileOf(t), trustDomain, "signet-controller-0").origin, first.origin);
  t.regex(openLogKey(file, trustDomain, "").origin, /\/controller\//);
});

for (const statement of ["UPDATE log_key SET pem = 'x'", "DELETE FROM log_key"]) {
  test(`openLogKey makes the database refuse "${statement}"`, (t) => {
    const file = fileOf(t);
    openLogKey(file, trustDomain, "a");
    using database = new DatabaseSync(file);
    t.throws(() => database.exec(statement), { message: /keeps its key/ });
  });
}

test("openLogKey refuses a file that is none, and does not replace it", (t) => {
  const file = fileOf(t);
  writeFileSync(file, "not a database ".repeat(100));
  t.throws(() => openLogKey(file, trustDomain, "a"), { code: "ledger_failed" });
});
