import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";
import type { LedgerEntry } from "#/ca/ledger/entry.ts";
import { startMs } from "#/test/kit/certificate-authority.ts";
import { golden } from "#/test/kit/golden.ts";
import { logEntries } from "#/test/kit/ledger.ts";
import { LogMesh } from "#/test/kit/log-mesh.ts";
import { said } from "#/test/kit/said.ts";
import { MeshAccessError } from "../mesh.ts";
import { copiesIn } from "../log/copy-check.ts";
import { certsWatch } from "./certs-watch.ts";
import { logHead, logVerify } from "./log.ts";
import { logCopy, logWatch, logWitness } from "./log-follow.ts";
import { logShow } from "./log-show.ts";

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-log-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("log head checks who signed, and fails when nobody did whom the mesh trusts", async (t) => {
  await using log = await LogMesh.create(7);
  const good = await said(logHead, log.mesh, { clock: log.clock });
  t.is(good.code, 0);
  t.regex(good.text, /signet-controller-0 +7 +\S+= +\S+$/m);
  await using other = await LogMesh.create(7);
  const mesh = { ...log.mesh, bundle: () => other.mesh.bundle() };
  const bad = await said(logHead, mesh, { clock: log.clock });
  t.is(bad.code, 1);
  t.regex(bad.text, /does not lead to a root of the mesh/);
});

test("log head notices a root that is not the one that is signed", async (t) => {
  await using log = await LogMesh.create(7);
  log.lie = (_path, honest) => ({
    ...(honest as object),
    head: { size: 7, root: Buffer.alloc(32).toString("base64") },
  });
  const { code, text } = await said(logHead, log.mesh, { clock: log.clock });
  t.is(code, 1);
  t.regex(text, /what is signed is another head/);
});

test("log show lists the newest first, and tells one by its serial", async (t) => {
  await using log = await LogMesh.create(300);
  const list = await said(logShow, log.mesh, { options: { limit: "2" } });
  t.deepEqual(list.text.split("\n").filter((line) => line.includes("spiffe:")).length, 2);
  const one = await said(logShow, log.mesh, { words: { serial: ["ff"] } });
  t.regex(one.text, /entry +255/);
  t.regex(one.text, /tokenHash +ee/);
  const none = said(logShow, log.mesh, { words: { serial: ["abc0"] } });
  await t.throwsAsync(none, { code: "not_found" });
});

for (const [title, steps] of [
  ["small", [0, 1, 3]],
  ["of some tiles", [255, 1, 1, 300]],
  ["past a page", [1500, 2000]],
  ["of three levels", [65_600, 600]],
] as const) {
  test(`log copy brings a log ${title} to disk, step by step, and it is whole`, async (t) => {
    t.timeout(60_000);
    await using log = await LogMesh.create(0);
    const folder = folderOf(t);
    for (const step of steps) {
      await log.grow(step);
      t.is((await said(logCopy, log.mesh, { words: { folder: [folder] } })).code, 0);
      const checked = await said(logVerify, log.mesh, { words: { file: [folder] } });
      t.is(checked.code, 0, checked.text);
      t.regex(checked.text, new RegExp(`${log.ledger.size()} entr`));
    }
  });
}

test("log copy begins a pruned log where that begins", async (t) => {
  await using log = await LogMesh.create(700);
  await log.ledger.prune(1e15);
  t.is(log.ledger.first(), 512);
  const folder = folderOf(t);
  t.is((await said(logCopy, log.mesh, { words: { folder: [folder] } })).code, 0);
  await log.grow(400);
  t.is((await said(logCopy, log.mesh, { words: { folder: [folder] } })).code, 0);
  const { code, text } = await said(logVerify, log.mesh, { words: { file: [folder] } });
  t.is(code, 0, text);
  t.regex(text, /588 entries of .*the hashes of 512 that were pruned/);
});

for (const [title, file, at, expected] of [
  ["an entry", "tile/entries/000", 1000, /entry \d is not what was logged/],
  ["an entry's length", "tile/entries/000", 0, /cannot be read as 256 entries/],
  ["a hash", "tile/0/000", 100, /entry 3 is not what was logged/],
  ["a tile above", "tile/1/000.p/2", 40, /tile\/0\/001 is not what the tile above it says/],
  ["the head", "checkpoint", 60, /./],
  ["the key", "key", 60, /./],
] as const) {
  test(`log verify names what was changed in a copy: ${title}`, async (t) => {
    await using log = await LogMesh.create(700);
    const folder = folderOf(t);
    await said(logCopy, log.mesh, { words: { folder: [folder] } });
    const changed = path.join(copiesIn(folder)![0]!, file);
    const bytes = readFileSync(changed);
    bytes[at]! ^= 1;
    writeFileSync(changed, bytes);
    const { code, text } = await said(logVerify, log.mesh, { words: { file: [folder] } });
    t.is(code, 1);
    t.regex(text, expected);
  });
}

test("log verify finds an entry changed together with all hashes above it", async (t) => {
  await using log = await LogMesh.create(300);
  const folder = folderOf(t);
  await said(logCopy, log.mesh, { words: { folder: [folder] } });
  const checkpoint = readFileSync(path.join(copiesIn(folder)![0]!, "checkpoint"));
  await log.fork(300, 17);
  const forged = folderOf(t);
  await said(logCopy, log.mesh, { words: { folder: [forged] } });
  writeFileSync(path.join(copiesIn(forged)![0]!, "checkpoint"), checkpoint);
  const { code, text } = await said(logVerify, log.mesh, { words: { file: [forged] } });
  t.is(code, 1);
  t.regex(text, /do not lead to the root that is signed/);
});

for (const [title, entries, other] of [
  ["forked", 400, 17],
  ["rewound", 200, 1000],
] as const) {
  test(`log copy refuses a log that was ${title}, and keeps the copy`, async (t) => {
    await using log = await LogMesh.create(300);
    const folder = folderOf(t);
    await said(logCopy, log.mesh, { words: { folder: [folder] } });
    await log.fork(entries, other);
    const refused = await said(logCopy, log.mesh, { words: { folder: [folder] } });
    t.is(refused.code, 1);
    t.regex(refused.text, /not what is signed|lost or taken away/);
    t.is((await said(logVerify, log.mesh, { words: { file: [folder] } })).code, 0);
  });

  test(`log witness refuses a log that was ${title}, and keeps the evidence`, async (t) => {
    await using log = await LogMesh.create(300);
    const file = path.join(folderOf(t), "seen.json");
    const look = { words: { file: [file] }, options: { once: true as const } };
    t.is((await said(logWitness, log.mesh, look)).code, 0);
    await log.grow(30);
    t.is((await said(logWitness, log.mesh, look)).code, 0);
    const before = readFileSync(file, "utf8");
    await log.fork(entries, other);
    const refused = await said(logWitness, log.mesh, look);
    t.is(refused.code, 1);
    t.regex(refused.text, /does not begin with the 330 entries|had 330 entries and has 200/);
    t.is(readFileSync(file, "utf8"), before, "what was seen stays");
    t.is(readFileSync(`${file}.alarm`, "utf8").split(log.key.origin).length, 5, "two signed heads");
  });
}

test("log witness is not content with a proof of another head", async (t) => {
  await using log = await LogMesh.create(300);
  const file = path.join(folderOf(t), "seen.json");
  const look = { words: { file: [file] }, options: { once: true as const } };
  await said(logWitness, log.mesh, look);
  await using honest = await LogMesh.create(400);
  await log.fork(400, 17);
  const answers = new Map<string, unknown>();
  log.lie = (asked, forked) => (asked.includes("consistency") ? answers.get("proof") : forked);
  const asked = "/v1/log/consistency?pod=signet-controller-0&before=300&size=400";
  answers.set("proof", (await honest.mesh.inspect(asked))[0]);
  t.is((await said(logWitness, log.mesh, look)).code, 1);
});

test("log witness says when a log is gone, and what it remembers cannot be edited", async (t) => {
  await using log = await LogMesh.create(3);
  const file = path.join(folderOf(t), "seen.json");
  const look = { words: { file: [file] }, options: { once: true as const } };
  await said(logWitness, log.mesh, look);
  await using other = await LogMesh.create(3);
  await t.throwsAsync(said(logWitness, other.mesh, look), { code: "not_found", message: /nobody/ });
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(String.raw`\n3\n`, String.raw`\n2\n`));
  await t.throwsAsync(said(logWitness, log.mesh, look), { code: "unreadable" });
});

/** A second, with time for what it brings. */
async function pass({ clock }: LogMesh): Promise<void> {
  for (const stepMs of [0, 1000]) {
    clock.advance(stepMs);
    for (let turn = 0; turn < 30; turn += 1) await new Promise((next) => setImmediate(next));
  }
}

test("log watch prints what is issued, and fails when a log is rewritten", async (t) => {
  await using log = await LogMesh.create(5);
  const watching = said(logWatch, log.mesh, { clock: log.clock });
  await pass(log);
  await log.grow(2);
  await pass(log);
  await log.fork(9, 2);
  await pass(log);
  await pass(log);
  const { code, text } = await watching;
  t.is(code, 1);
  t.regex(text, /signet-controller-0 5 .*\n.*signet-controller-0 6 /);
  t.regex(text, /are not what is signed/);
});

test("log watch says at once that the logs cannot be had, and later waits for them", async (t) => {
  await using log = await LogMesh.create(5);
  const gone = (): never => {
    throw new MeshAccessError("failed", "The controller does not answer");
  };
  log.lie = gone;
  await t.throwsAsync(said(logWatch, log.mesh, { clock: log.clock }), { code: "failed" });
  log.lie = (_path, honest) => honest;
  const watching = said(certsWatch, log.mesh, { clock: log.clock, options: { count: "1" } });
  await pass(log);
  log.lie = gone;
  await pass(log);
  log.lie = (_path, honest) => honest;
  await log.grow(1);
  await pass(log);
  t.is((await watching).code, 0);
});

const named = (at: number, namespace: string): readonly LedgerEntry[] =>
  logEntries(at, at + 1, {
    namespace,
    id: `spiffe://cluster.local/ns/${namespace}/sa/b`,
    issuedAt: startMs,
    notAfter: startMs + 840_000,
  });

test("certs watch prints each issuance once, as it comes, and ends after --count", async (t) => {
  await using log = await LogMesh.create(3);
  const issue = (...entries: readonly LedgerEntry[]): Promise<unknown> =>
    Promise.all(entries.map((entry) => log.ledger.append(entry)));
  const options = { namespace: "app-b", count: "2" };
  const watching = said(certsWatch, log.mesh, { clock: log.clock, options });
  await pass(log);
  await pass(log);
  await issue(...named(3, "app-b"), ...named(4, "app-c"));
  await pass(log);
  await pass(log);
  await issue(...named(5, "app-b"), ...named(6, "app-b"));
  await pass(log);
  const { code, text } = await watching;
  t.is(code, 0);
  t.is(text, golden(new URL("../golden/certs-watch.txt", import.meta.url), text));
  const json = { clock: log.clock, options: { count: "1" }, format: "json" } as const;
  const next = said(certsWatch, log.mesh, json);
  await pass(log);
  await issue(...named(7, "app-b"));
  await pass(log);
  t.like(JSON.parse((await next).text) as object, {
    serial: "7",
    log: "signet-controller-0",
    logIndex: 7,
  });
});

for (const [title, entries, other] of [
  ["forked", 9, 17],
  ["rewound", 4, 1000],
] as const) {
  test(`certs watch fails when a log is ${title}, and prints nothing of what is not proven`, async (t) => {
    await using log = await LogMesh.create(7);
    const watching = said(certsWatch, log.mesh, { clock: log.clock });
    await pass(log);
    await log.fork(entries, Math.min(other, 3));
    await pass(log);
    const { code, text } = await watching;
    t.is(code, 1);
    t.notRegex(text, /spiffe:/);
    t.regex(text, /not what is signed|lost or taken away/);
  });
}
