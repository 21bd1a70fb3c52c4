// The bench: `npm run bench -- [proxy|ca]`. Joins command line, prerequisites, suites and output.
import { mkdtempSync, chmodSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir } from "node:os";
import { dirname } from "node:path";
import { MeshError, messageOf } from "#/lib/errors.ts";
import { claimMachine, sweepNetworks } from "./netns.ts";
import { helpText, readOptions } from "./options.ts";
import type { Options } from "./options.ts";
import { fetchPrograms, versionsOf } from "./prerequisites.ts";
import { runProxySuite } from "./proxy-suite.ts";
import type { Reporter } from "./proxy-suite.ts";
import type { Row } from "./rows.ts";
import { selectWorks } from "./works.ts";

const projectFolder = dirname(import.meta.dirname);

/** More runnable processes than this before the start: somebody else is at work here. */
const busyLoad = 0.5;

const reporter: Reporter = {
  say: (text) => process.stderr.write(`${text}\n`),
  print: (text) => process.stdout.write(text),
};

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(helpText);
    return 0;
  }
  const rows: Row[] = [];
  for (const suite of options.suites) {
    if (suite === "proxy") rows.push(...(await measureProxies(options)));
  }
  if (options.jsonFile !== null) {
    writeFileSync(options.jsonFile, `${JSON.stringify(rows, null, 1)}\n`);
  }
  const spoiled = rows.filter((row) => row.metric === "errors" && row.value > 0);
  for (const { work, subject, value } of spoiled) {
    reporter.say(`Not comparable: "${subject}" answered ${value} requests wrongly in ${work}`);
  }
  return spoiled.length === 0 ? 0 : 1;
}

async function measureProxies(options: Options): Promise<Row[]> {
  const works = selectWorks(options.works);
  using _claim = await claimMachine();
  const programs = fetchPrograms(`${projectFolder}/.state/bench`, reporter.say);
  sweepNetworks();
  reporter.print(`${machineLine()}\n${versionsOf(programs)}\n`);
  const load = loadavg()[0]!;
  if (load > busyLoad) {
    reporter.print(`The machine is busy (load ${load.toFixed(2)}): read the ratios only\n`);
  }
  const runFolder = mkdtempSync(`${tmpdir()}/signet-bench-`);
  // The proxies run as another user and have to get in.
  chmodSync(runFolder, 0o755);
  try {
    const bench = { programs, projectFolder, runFolder, now: () => Date.now() };
    return await runProxySuite(bench, { ...options, works }, reporter);
  } finally {
    rmSync(runFolder, { recursive: true, force: true });
  }
}

function machineLine(): string {
  const cores = cpus();
  return `machine: ${cores.length} x ${cores[0]?.model.trim() ?? "unknown"}, Linux ${release()}`;
}

try {
  process.exitCode = await main();
} catch (thrown) {
  const next = thrown instanceof MeshError && thrown.next !== "" ? `\n${thrown.next}` : "";
  process.stderr.write(`bench: ${messageOf(thrown)}${next}\n`);
  process.exitCode = 1;
}
