// Our logs as files, read by the library of those who specify them (C2SP tlog-tiles, signed-note).
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";
import { logCopy } from "#/cli/commands/log-follow.ts";
import { copiesIn } from "#/cli/log/copy-check.ts";
import { LogMesh } from "../kit/log-mesh.ts";
import { said } from "../kit/said.ts";

const program = process.env["SIGNET_TEST_LOG_CHECK"] ?? "log-check";

/** What it has to say of the copy; empty when all is well. */
function judged(folder: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, [folder], (error, stdout) =>
      resolve(error === null ? "" : stdout || "failed"),
    );
  });
}

async function copyOf(t: ExecutionContext, sizes: readonly number[]): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-log-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  await using log = await LogMesh.create(0);
  for (const size of sizes) {
    await log.grow(size - log.ledger.size());
    t.is((await said(logCopy, log.mesh, { words: { folder: [folder] } })).code, 0);
  }
  return copiesIn(folder)![0]!;
}

for (const sizes of [[1], [255, 256, 257], [1000, 3000], [65_535, 65_536, 66_000]] as const) {
  test(`a copy made at ${sizes.join(", ")} entries is a log to others`, async (t) => {
    t.timeout(120_000);
    t.is(await judged(await copyOf(t, sizes)), "");
  });
}

for (const file of ["tile/0/000", "tile/1/000.p/3", "tile/entries/001", "checkpoint"]) {
  test(`others notice a byte changed in ${file}, too`, async (t) => {
    const folder = await copyOf(t, [800]);
    const bytes = readFileSync(path.join(folder, file));
    bytes[50]! ^= 1;
    writeFileSync(path.join(folder, file), bytes);
    t.not(await judged(folder), "");
  });
}
