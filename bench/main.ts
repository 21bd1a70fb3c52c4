// The bench: `npm run bench -- [proxy|ca|startup|volume|profile]`. Joins command line, prerequisites, suites and output.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { constants, cpus, loadavg, release, tmpdir } from "node:os";
import { dirname, resolve } from "node:path";
import { MeshError, messageOf } from "#/lib/errors.ts";
import { runCaSuite } from "./ca-suite.ts";
import { subjectsOf } from "./field.ts";
import { issueWorks } from "./issuers.ts";
import { claimMachine, sweepNetworks } from "./netns.ts";
import { helpText, readOptions } from "./options.ts";
import type { Options } from "./options.ts";
import { stepCaVersion } from "./peers/step-ca-program.ts";
import { fetchPrograms, versionsOf } from "./prerequisites.ts";
import { profileHelpText, readProfileOptions } from "./profile/options.ts";
import { runProfile } from "./profile/run.ts";
import { runProxySuite } from "./proxy-suite.ts";
import type { Reporter } from "./proxy-suite.ts";
import type { Row } from "./rows.ts";
import { selectNames } from "./select.ts";
import { startSubjects, startWorks } from "./starts.ts";
import { runStartupSuite } from "./startup-suite.ts";
import { runVolumeSuite, volumeSubjects } from "./volume/suite.ts";
import { volumeWorks } from "./volume/works.ts";
import type { VolumeWork } from "./volume/works.ts";
import { works } from "./works.ts";
import type { Work } from "./works.ts";

const projectFolder = dirname(import.meta.dirname);

/** More runnable processes than this before the start: somebody else is at work here. */
const busyLoad = 0.5;

const folderPrefix = "signet-bench-run-";

async function main(commandLine: readonly string[]): Promise<number> {
  if (commandLine[0] === "profile") return await profile(commandLine.slice(1));
  const options = readOptions(commandLine);
  if (options.help) {
    process.stdout.write(helpText);
    return 0;
  }
  const plan = readPlan(options);
  using _claim = await claimMachine();
  sweepOnSignals();
  const reporter = makeReporter(options.jsonFile);
  const rows = await runSuites(plan, options, reporter);
  const spoiled = rows.filter((row) => row.metric === "errors" && row.value > 0);
  for (const { work, subject, value } of spoiled) {
    reporter.say(`Not comparable: "${subject}" answered ${value} requests wrongly in ${work}`);
  }
  return spoiled.length === 0 ? 0 : 1;
}

async function profile(commandLine: readonly string[]): Promise<number> {
  const options = readProfileOptions(commandLine);
  if (options.help) {
    process.stdout.write(profileHelpText);
    return 0;
  }
  using _claim = await claimMachine();
  sweepOnSignals();
  const { say, print } = makeReporter(null);
  sweep();
  const runFolder = makeRunFolder();
  try {
    const programs = fetchPrograms(`${projectFolder}/.state/bench`, say);
    const profileFolder = openFolder(`${runFolder}/profiles`);
    const bench = { programs, projectFolder, runFolder, profileFolder, now: () => Date.now() };
    for (const file of await runProfile(bench, options, say)) print(`${file}\n`);
    return 0;
  } finally {
    rmSync(runFolder, { recursive: true, force: true });
  }
}

/** With a file, it holds the rows so far at any time; one that cannot be written is found out now. */
function makeReporter(jsonFile: string | null): Reporter {
  const kept: Row[] = [];
  const keep = (rows: readonly Row[]): void => {
    kept.push(...rows);
    if (jsonFile !== null) writeFileSync(jsonFile, `${JSON.stringify(kept, null, 1)}\n`);
  };
  keep([]);
  return {
    say: (text) => process.stderr.write(`${text}\n`),
    print: (text) => process.stdout.write(text),
    keep,
  };
}

interface Plan {
  readonly proxyWorks: readonly Work[];
  readonly caWorks: readonly string[];
  readonly startupWorks: readonly string[];
  readonly volumeWorks: readonly VolumeWork[];
  readonly subjects: readonly string[];
}

/** Before anything is installed or started: what to measure. Throws SelectError. */
function readPlan(options: Options): Plan {
  const proxy = options.suites.includes("proxy") ? works : [];
  const ca = options.suites.includes("ca") ? Object.keys(issueWorks) : [];
  const startup = options.suites.includes("startup") ? Object.keys(startWorks) : [];
  const volume = options.suites.includes("volume") ? volumeWorks : [];
  const known = [...[...proxy, ...volume].map(({ name }) => name), ...ca, ...startup];
  const names = selectNames("work", options.works, known);
  const proxyWorks = proxy.filter(({ name }) => names.includes(name));
  const caWorks = ca.filter((name) => names.includes(name));
  const startupWorks = startup.filter((name) => names.includes(name));
  const volumeChosen = volume.filter(({ name }) => names.includes(name));
  const fields = [
    ...proxyWorks.flatMap((work) => subjectsOf(work).map(({ name }) => name)),
    ...caWorks.flatMap((name) => Object.keys(issueWorks[name]!)),
    ...(startupWorks.length > 0 ? startSubjects : []),
    ...(volumeChosen.length > 0 ? volumeSubjects : []),
  ];
  const subjects = selectNames("subject", options.subjects, [...new Set(fields)]);
  return { proxyWorks, caWorks, startupWorks, volumeWorks: volumeChosen, subjects };
}

async function runSuites(plan: Plan, options: Options, reporter: Reporter): Promise<Row[]> {
  reporter.print(`${machineLine()}\n`);
  const load = loadavg()[0]!;
  if (load > busyLoad) {
    reporter.print(`The machine is busy (load ${load.toFixed(2)}): read the ratios only\n`);
  }
  sweep();
  const runFolder = makeRunFolder();
  const now = (): number => Date.now();
  const profileFolder = options.profileFolder === null ? null : openFolder(options.profileFolder);
  const common = { ...options, subjects: plan.subjects };
  try {
    const rows: Row[] = [];
    if (plan.proxyWorks.length + plan.startupWorks.length + plan.volumeWorks.length > 0) {
      const programs = fetchPrograms(`${projectFolder}/.state/bench`, (text) => reporter.say(text));
      reporter.print(`${versionsOf(programs)}\n`);
      const bench = { programs, projectFolder, runFolder, profileFolder, now };
      const proxy = { ...common, works: plan.proxyWorks };
      rows.push(...(await runProxySuite(bench, proxy, reporter)));
      const startup = { ...common, works: plan.startupWorks };
      if (plan.startupWorks.length > 0) {
        rows.push(...(await runStartupSuite(bench, startup, reporter)));
      }
      const volume = { ...common, works: plan.volumeWorks };
      rows.push(...(await runVolumeSuite(bench, volume, reporter)));
    }
    if (plan.caWorks.length > 0) {
      reporter.print(`step-ca ${stepCaVersion}, node ${process.versions.node}\n`);
      rows.push(
        ...(await runCaSuite(
          { ...common, works: plan.caWorks, profileFolder, projectFolder, runFolder, now },
          reporter,
        )),
      );
    }
    return rows;
  } finally {
    rmSync(runFolder, { recursive: true, force: true });
  }
}

/** For files of one run. */
function makeRunFolder(): string {
  const path = mkdtempSync(`${tmpdir()}/${folderPrefix}`);
  // The proxies run as another user and have to get in.
  chmodSync(path, 0o755);
  return path;
}

/** A folder that every user may write to: our processes run as several. */
function openFolder(folder: string): string {
  const path = resolve(folder);
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o777);
  return path;
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
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  const next = thrown instanceof MeshError && thrown.next !== "" ? `\n${thrown.next}` : "";
  process.stderr.write(`bench: ${messageOf(thrown)}${next}\n`);
  process.exitCode = 1;
}
