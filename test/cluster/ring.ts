// Runs the test files of ring/ with ava against one cluster, and counts what they say.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { RigError } from "./errors.ts";
import { findProgram } from "./prerequisites.ts";
import { checkout, nodeAddress, stateFolder } from "./settings.ts";

export interface Site {
  /** Test files; all of the ring when empty. */
  readonly files: readonly string[];
  readonly kubeconfig: string;
  /** Folder of the cluster's own programs; null on a cluster that is not ours. */
  readonly programs: string | null;
}

/** Files that run at the same time. One: a file may disturb the whole cluster. Its own tests overlap. */
const concurrency = "1";
const timeout = "10m";

/** Exit code: 0 when everything passed. */
export async function runRing(site: Site): Promise<number> {
  if (site.programs === null && findProgram("kubectl") === null) {
    throw new RigError("prerequisite_missing", "kubectl is missing", {
      next: "Install the kubectl that suits the cluster of SIGNET_TEST_KUBECONFIG",
    });
  }
  const ava = ["node_modules/.bin/ava", "--tap", `--concurrency=${concurrency}`];
  const child = spawn(process.execPath, [...ava, `--timeout=${timeout}`, ...site.files], {
    cwd: checkout,
    stdio: ["ignore", "pipe", "inherit"],
    env: environmentFor(site),
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
  // A run that executed nothing, or whose runner died, did not pass; nor did one that left tests out.
  if (counts.failed === 0 && (code !== 0 || counts.passed === 0)) counts.failed = 1;
  const { passed, failed, skipped } = counts;
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  return failed === 0 && skipped === 0 ? 0 : 1;
}

/** SIGNET_TEST_RIG and _NODE_ADDRESS are there only on a cluster of ours. */
function environmentFor(site: Site): NodeJS.ProcessEnv {
  const common = {
    ...process.env,
    SIGNET_TEST_RING: "cluster",
    KUBECONFIG: site.kubeconfig,
  };
  if (site.programs === null) return common;
  return {
    ...common,
    PATH: `${site.programs}:${process.env["PATH"] ?? ""}`,
    SIGNET_TEST_RIG: stateFolder,
    SIGNET_TEST_NODE_ADDRESS: nodeAddress,
  };
}
