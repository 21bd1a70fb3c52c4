// Runs test files with ava and counts what they say: those of ring/ against one cluster, and those of
// test/apiserver, each of which starts an API server of its own and needs no cluster.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { closingLine, total } from "./counts.ts";
import type { Counts } from "./counts.ts";
import { RigError } from "./errors.ts";
import { findProgram } from "./prerequisites.ts";
import { say } from "./progress.ts";
import { cacheFolder, checkout, nodeAddress, rigFolder, stateFolder } from "./settings.ts";

export interface Site {
  /** Test files; all of the ring when empty. */
  readonly files: readonly string[];
  readonly kubeconfig: string;
  /** Folders of the cluster's own programs, and of what tests run; null on a cluster that is not ours. */
  readonly programs: readonly string[] | null;
}

/** Files to run; null: none of this kind, empty: all of it. */
export interface Selection {
  readonly apiServer: readonly string[] | null;
  readonly cluster: readonly string[] | null;
}

const ringFolder = path.join(rigFolder, "ring");
const aloneFolder = path.join(ringFolder, "alone");
const apartFolder = path.join(ringFolder, "apart");
const apiServerFolder = "test/apiserver";
const timeout = "10m";
/** A third of what a test file or the command line costs is reading their sources. */
const compileFolder = path.join(cacheFolder(process.env), "compiled");

/** What the words of a command line mean; none at all mean everything. */
export function selectionOf(files: readonly string[]): Selection {
  if (files.length === 0) return { apiServer: [], cluster: [] };
  const isApiServer = (file: string): boolean =>
    path.relative(checkout, path.resolve(file)).startsWith(`${apiServerFolder}/`);
  const apiServer = files.filter(isApiServer);
  const cluster = files.filter((file) => !isApiServer(file));
  const some = (each: readonly string[]) => (each.length === 0 ? null : each);
  return { apiServer: some(apiServer), cluster: some(cluster) };
}

/** `programs` is the folder with kube-apiserver. */
export function runApiServerTests(files: readonly string[], programs: string): Promise<Counts> {
  const environment = { SIGNET_TEST_RING: "apiserver", SIGNET_TEST_KUBE_BIN: programs };
  // Each file has a control plane to itself, and a cluster starts beside them.
  return runTests({ files, environment, concurrency: 1, gently: true });
}

/**
 * `meanwhile` begins once the files that share the cluster are done: they take all of the processor, those
 * that have it to themselves mostly wait.
 */
export async function runRing(
  site: Site,
  meanwhile: () => Promise<readonly Counts[]> = () => Promise.resolve([]),
): Promise<Counts> {
  if (site.programs === null && findProgram("kubectl") === null) {
    throw new RigError("prerequisite_missing", "kubectl is missing", {
      next: "Install the kubectl that suits the cluster of SIGNET_TEST_KUBECONFIG",
    });
  }
  const environment = environmentFor(site);
  const { beside, alone } = ringFiles(site.programs === null ? onForeign(site.files) : site.files);
  const counts: Counts[] = [];
  if (beside.length > 0)
    counts.push(await runTests({ files: beside, environment, concurrency: 3 }));
  const others = meanwhile();
  if (alone.length > 0) counts.push(await runTests({ files: alone, environment, concurrency: 1 }));
  return total([...counts, ...(await others)]);
}

/** Files for one cluster: those that share it with others, and then those that disturb it, one by one. */
function ringFiles(files: readonly string[]): {
  readonly beside: readonly string[];
  readonly alone: readonly string[];
} {
  const chosen = files.length > 0 ? files : everyRingFile();
  return {
    beside: chosen.filter((file) => folderOf(file) === ringFolder),
    alone: chosen.filter((file) => folderOf(file) !== ringFolder),
  };
}

/**
 * What two clusters share out: files of ring/apart are for the second. Null where there is nothing for one
 * of the two to do.
 */
export function sharedOut(files: readonly string[]): readonly [string[], string[]] | null {
  const chosen = files.length > 0 ? files : everyRingFile();
  const first = chosen.filter((file) => folderOf(file) !== apartFolder);
  const second = chosen.filter((file) => folderOf(file) === apartFolder);
  return first.length === 0 || second.length === 0 ? null : [first, second];
}

/** Files that bring images of their own to the node, which is possible on a cluster of ours alone. */
const bringImages: ReadonlyMap<string, string> = new Map([
  ["tilt.test.ts", "the images that Tilt builds"],
  ["applications.test.ts", "httpbin's and nginx's images"],
]);

function onForeign(files: readonly string[]): readonly string[] {
  const chosen = files.length > 0 ? files : everyRingFile();
  const possible = chosen.filter((file) => !bringImages.has(path.basename(file)));
  for (const file of chosen) {
    const images = bringImages.get(path.basename(file));
    if (images !== undefined) {
      say(`- ${path.basename(file)} is left out: nothing here brings ${images} to that cluster`);
    }
  }
  if (possible.length === 0) {
    throw new RigError("usage", "These files cannot run on a cluster that is not the rig's own", {
      next: "Run them without SIGNET_TEST_KUBECONFIG",
    });
  }
  return possible;
}

function everyRingFile(): readonly string[] {
  return [ringFolder, aloneFolder, apartFolder].flatMap(testsIn);
}

function folderOf(file: string): string {
  return path.dirname(path.resolve(file));
}

function testsIn(folder: string): readonly string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".test.ts"));
  return names.toSorted().map((name) => path.relative(checkout, path.join(folder, name)));
}

/** Says the closing line. Exit code: 0 when everything passed and nothing was left out. */
export function conclude(parts: readonly Counts[]): number {
  const counts = total(parts);
  process.stdout.write(`${closingLine(counts)}\n`);
  return counts.failed === 0 && counts.skipped === 0 ? 0 : 1;
}

export interface Run {
  readonly files: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** Files that run at the same time. */
  readonly concurrency: number;
  /** Behind whatever else wants the processor. */
  readonly gently?: boolean;
}

export async function runTests(run: Run): Promise<Counts> {
  const { files, environment, concurrency, gently = false } = run;
  const ava = ["node_modules/.bin/ava", "--tap", `--concurrency=${concurrency}`];
  const command = [process.execPath, ...ava, `--timeout=${timeout}`, ...files];
  const [program = "", ...words] = gently ? ["nice", "-n", "10", ...command] : command;
  const child = spawn(program, words, {
    cwd: checkout,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_COMPILE_CACHE: compileFolder, ...environment },
  });
  // Whoever ends this process ends its tests.
  const end = (): void => void child.kill();
  process.once("exit", end);
  const ended = new Promise<number>((resolve) => child.on("close", (code) => resolve(code ?? 1)));
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("not ok ")) counts.failed += 1;
    else if (/^ok .*# (?:SKIP|TODO)/i.test(line)) counts.skipped += 1;
    else if (line.startsWith("ok ")) counts.passed += 1;
    if (!/^# (?:tests|pass|fail|skip)|^1\.\.|^TAP /.test(line)) process.stdout.write(`${line}\n`);
  }
  const code = await ended;
  process.off("exit", end);
  // A run that executed nothing, or whose runner died, did not pass.
  if (counts.failed === 0 && (code !== 0 || counts.passed === 0)) counts.failed = 1;
  return counts;
}

/** SIGNET_TEST_RIG and _NODE_ADDRESS are there only on a cluster of ours. */
function environmentFor(site: Site): NodeJS.ProcessEnv {
  const common = { SIGNET_TEST_RING: "cluster", KUBECONFIG: site.kubeconfig };
  if (site.programs === null) return common;
  return {
    ...common,
    PATH: [...site.programs, process.env["PATH"] ?? ""].join(":"),
    SIGNET_TEST_RIG: stateFolder,
    SIGNET_TEST_NODE_ADDRESS: nodeAddress,
  };
}
