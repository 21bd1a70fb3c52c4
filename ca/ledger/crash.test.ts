// What a crash may take: nothing that was acknowledged. A process that writes is killed at any moment, and a
// disk that lost what was not synced is made by cutting its files.
import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import test from "ava";
import type { ExecutionContext } from "ava";
import { logEntries } from "#/test/kit/ledger.ts";
import { frontierRoot, grow, emptyFrontier } from "#/transparency/frontier.ts";
import { hashLeaf } from "#/transparency/hash.ts";
import { LedgerStore } from "./store.ts";

class Folder implements Disposable {
  readonly path = mkdtempSync(path.join(tmpdir(), "signet-crash-"));
  readonly file = path.join(this.path, "ledger.sqlite");

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

/** The ledger opens, has at least `acknowledged` entries, and its tree is that of its entries. */
function isWhole(t: ExecutionContext, file: string, acknowledged: number): number {
  using store = new LedgerStore(file);
  const size = store.size();
  t.true(size >= acknowledged, `${size} of ${acknowledged}`);
  let tree = emptyFrontier;
  for (const text of store.texts(0, size)) {
    tree = grow(tree, hashLeaf(Buffer.from(text)), () => undefined);
  }
  t.is(tree.size, size);
  t.deepEqual(Buffer.from(frontierRoot(tree)), Buffer.from(store.head().root));
  return size;
}

const rounds = 12;

test.serial("kill -9 at any moment takes no entry that was acknowledged", async (t) => {
  t.timeout(120_000);
  using folder = new Folder();
  let acknowledged = 0;
  for (let round = 0; round < rounds; round += 1) {
    const writer = new URL("../../test/kit/ledger-writer.ts", import.meta.url).pathname;
    const child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", writer, folder.file],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const ended = new Promise((resolve) => child.once("exit", resolve));
    let lines = 0;
    // From the first acknowledgement on, a few milliseconds more each round.
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line);
      lines += 1;
      if (lines === 1) setTimeout(() => child.kill("SIGKILL"), 3 + round * 4);
    }
    await ended;
    t.true(lines > 0);
    acknowledged = isWhole(t, folder.file, acknowledged);
  }
  t.true(acknowledged > rounds);
});

test("a disk that lost what was not synced has all that was acknowledged", (t) => {
  using folder = new Folder();
  using store = new LedgerStore(folder.file);
  const wal = `${folder.file}-wal`;
  const acknowledged: { readonly entries: number; readonly bytes: number }[] = [];
  for (const size of [1, 2, 5, 6, 20, 300, 301]) {
    store.write(logEntries(store.size(), size));
    acknowledged.push({ entries: size, bytes: statSync(wal).size });
  }
  const whole = statSync(wal).size;
  const cuts = Array.from({ length: 40 }, (_each, at) => Math.floor((whole * at) / 39));
  for (const cut of [...cuts, ...acknowledged.map(({ bytes }) => bytes)]) {
    const copy = path.join(folder.path, "copy.sqlite");
    copyFileSync(folder.file, copy);
    copyFileSync(wal, `${copy}-wal`);
    truncateSync(`${copy}-wal`, cut);
    const safe = acknowledged.findLast(({ bytes }) => bytes <= cut)?.entries ?? 0;
    isWhole(t, copy, safe);
    for (const each of ["", "-wal", "-shm"]) rmSync(`${copy}${each}`, { force: true });
  }
});
