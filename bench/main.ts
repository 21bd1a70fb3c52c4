// The bench: `npm run bench -- [proxy|ca]`. Joins command line, prerequisites, suites and output.
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { constants, cpus, loadavg, release, tmpdir } from "node:os";
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

const folderPrefix = "signet-bench-run-";

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
  sweep();
  sweepOnSignals();
  reporter.print(`${machineLine()}\n${versionsOf(programs)}\n`);
  const load = loadavg()[0]!;
  if (load > busyLoad) {
    reporter.print(`The machine is busy (load ${load.toFixed(2)}): read the ratios only\n`);
  }
  const runFolder = mkdtempSync(`${tmpdir()}/${folderPrefix}`);
  // The proxies run as another user and have to get in.
  chmodSync(runFolder, 0o755);
  try {
    const bench = { programs, projectFolder, runFolder, now: () => Date.now() };
    return await runProxySuite(bench, { ...options, works }, reporter);
  } finally {
    rmSync(runFolder, { recursive: true, force: true });
  }
}

/** What a killed run left: processes, namespaces, links, files. Only while this bench holds the machine. */
function sweep(): void {
  sweepNetworks();
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(folderPrefix)) continue;
    rmSync(`${tmpdir()}/${name}`, { recursive: true, force: true });
  }
}

/** Everything that the bench starts lives in its namespaces, so that one sweep ends all of it. */
function sweepOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      sweep();
      process.exit(128 + constants.signals[signal]);
    });
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
