// `npm run test:cluster`: the tests that need Kubernetes. Those of test/apiserver start what they need of
// it; the ring runs on a real cluster of this machine or on one that is there already. Ends with one line: N passed, N failed, N skipped.
import path from "node:path";
import { parseArgs } from "node:util";
import { MeshError, messageOf } from "#/lib/errors.ts";
import { kubernetesPart } from "./build/kubernetes.ts";
import { httpRouteManifest } from "./build/gateway-api.ts";
import { imagesPart } from "./build/images.ts";
import { tiltPart } from "./build/tilt.ts";
import { goSpiffe } from "../conformance/spiffe-clients.ts";
import { RigError } from "./errors.ts";
import { takeLock } from "./lock.ts";
import { isKept, startCluster, stopCluster } from "./node/cluster.ts";
import { updateImages } from "./node/images.ts";
import { ensurePrerequisites } from "./prerequisites.ts";
import { say } from "./progress.ts";
import { runOnSecond, removeSecond } from "./second-cluster.ts";
import { total } from "./counts.ts";
import type { Counts } from "./counts.ts";
import type { Selection, Site } from "./ring.ts";
import { conclude, runApiServerTests, runRing, selectionOf, sharedOut } from "./ring.ts";
import { isSecond, kubeconfigFile } from "./settings.ts";

const usage = `Tests Signet on a real Kubernetes cluster (root; parts are built once, some minutes).

  npm run test:cluster                  test/apiserver; cluster up from nothing, the whole ring, down
  npm run test:cluster -- FILES         these files of test/apiserver (they need no cluster) and of
                                        test/cluster/ring
  npm run test:cluster -- up            brings the cluster up and leaves it; the ring then runs on it
  npm run test:cluster -- images        builds our images and loads them into it
  npm run test:cluster -- down          takes everything of it away

  SIGNET_TEST_KUBECONFIG=FILE           the ring on that cluster, which has our images; none is built,
                                        and test/apiserver is left out

The ring ends with one line: N passed, N failed, N skipped.
`;

/** Test files that want a program on their PATH. */
const partsOfTests: readonly (readonly [file: string, part: () => Promise<string>])[] = [
  ["tilt.test.ts", tiltPart],
  ["identity.test.ts", goSpiffe],
];

/** Ends of the process that are asked for from outside, and the exit codes a shell gives them. */
const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

try {
  const { values, positionals } = parseArgs({
    options: { help: { type: "boolean", short: "h", default: false } },
    allowPositionals: true,
  });
  if (values.help) process.stdout.write(usage);
  else process.exitCode = await command(positionals);
} catch (error) {
  say(`signet: ${messageOf(error)}`);
  if (error instanceof MeshError && error.next !== "") say(`  ${error.next}`);
  process.exitCode = 1;
}

async function command(words: readonly string[]): Promise<number> {
  const [first = "", ...more] = words;
  const foreign = process.env["SIGNET_TEST_KUBECONFIG"] ?? "";
  if (!["up", "down", "images"].includes(first)) return ring(words, foreign);
  if (more.length > 0 || foreign !== "") {
    throw new RigError("usage", `"${first}" stands alone`, { next: usage });
  }
  await using _lock = await takeLock(first);
  if (first === "down") {
    if (!isSecond) await removeSecond();
    await stopCluster();
    return 0;
  }
  await ensurePrerequisites();
  if (first === "images") {
    if (isKept()) await updateImages();
    else await imagesPart();
    return 0;
  }
  if (isKept()) await updateImages();
  else await upOrNothing();
  say(`up: export KUBECONFIG=${kubeconfigFile} PATH=${await kubernetesPart()}:$PATH`);
  return 0;
}

/** A start that fails leaves nothing. */
async function upOrNothing(): Promise<void> {
  const forget = downOnSignal();
  try {
    await startCluster(true);
  } catch (error) {
    await stopCluster();
    throw error;
  } finally {
    forget();
  }
}

async function ring(files: readonly string[], foreign: string): Promise<number> {
  try {
    return await ringOn(files, foreign);
  } catch (error) {
    // Whoever reads only the last line must not take this for success.
    say(`signet: ${messageOf(error)}`);
    if (error instanceof MeshError && error.next !== "") say(`  ${error.next}`);
    process.stdout.write("0 passed, 1 failed, 0 skipped\n");
    return 1;
  }
}

async function ringOn(files: readonly string[], foreign: string): Promise<number> {
  const { apiServer, cluster } = selectionOf(files);
  if (foreign !== "") return ringOnForeign(apiServer, cluster, foreign);
  await using _lock = await takeLock("tests");
  await ensurePrerequisites();
  const programs = await kubernetesPart();
  // Of the parts, those that both ask for are made before: nothing keeps two from making one.
  await httpRouteManifest();
  const more = cluster === null ? [] : await programsOfTests(cluster);
  const others = apiServer === null ? [] : [() => runApiServerTests(apiServer, programs)];
  if (cluster === null) return conclude(await Promise.all(others.map((run) => run())));
  const folders = [programs, ...more];
  const site = { files: cluster, kubeconfig: kubeconfigFile, programs: folders };
  return conclude([await ringOnOwn(site, others)]);
}

async function ringOnForeign(
  apiServer: Selection["apiServer"],
  cluster: Selection["cluster"],
  kubeconfig: string,
): Promise<number> {
  const why =
    "they kill, cut off and compact an API server of their own, which a cluster has no programs for";
  if (cluster === null) {
    throw new RigError("usage", `Cannot run the tests of test/apiserver on a cluster: ${why}`, {
      next: "Run them without SIGNET_TEST_KUBECONFIG",
    });
  }
  if (apiServer !== null) say(`- test/apiserver is left out: ${why}`);
  return conclude([await runRing({ files: cluster, kubeconfig, programs: null })]);
}

/** `others` need no cluster, and begin when it leaves them some of the processor. */
async function ringOnOwn(site: Site, others: readonly (() => Promise<Counts>)[]): Promise<Counts> {
  const run = (files: readonly string[]): Promise<Counts> =>
    runRing({ ...site, files }, () => Promise.all(others.map((each) => each())));
  if (isKept()) {
    say("- on the cluster that is up, and stays");
    await updateImages();
    return run(site.files);
  }
  const forget = downOnSignal();
  try {
    await startCluster(false);
    const shared = sharedOut(site.files);
    if (shared === null) return await run(site.files);
    const [here, there] = shared;
    return total(await Promise.all([run(here), runOnSecond(there)]));
  } finally {
    await stopCluster();
    forget();
  }
}

/** Folders of programs that single test files need, built before the cluster takes the machine. */
async function programsOfTests(files: readonly string[]): Promise<readonly string[]> {
  const folders: string[] = [];
  for (const [name, part] of partsOfTests) {
    const isNeeded = files.length === 0 || files.some((file) => path.basename(file) === name);
    if (isNeeded) folders.push(await part());
  }
  return folders;
}

/** Returns what takes the handlers away. */
function downOnSignal(): () => void {
  const handlers = Object.entries(signals).map(([signal, code]) => {
    const handler = (): void => {
      say(`- ${signal}`);
      void stopCluster().finally(() => process.exit(code));
    };
    process.on(signal, handler);
    return { signal, handler };
  });
  return () => {
    for (const { signal, handler } of handlers) process.off(signal, handler);
  };
}
