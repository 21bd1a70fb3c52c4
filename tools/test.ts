// `npm test`: every ring that this machine can run (in process, network namespaces with the
// kernel's iptables), through ava. The closing line counts what ran: `N passed, N failed, N skipped`.
// `--fuzz` runs the property tests alone, each with many more runs (FUZZ_RUNS).
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const fuzzRuns = "20000";
const arguments_ = process.argv.slice(2);
const fuzz = arguments_.includes("--fuzz");
const files = arguments_.filter((argument) => !argument.startsWith("--"));

const environment = { ...process.env, ...(fuzz ? { FUZZ_RUNS: fuzzRuns } : {}) };
const ava = spawn(
  process.execPath,
  [
    "node_modules/.bin/ava",
    "--tap",
    "--concurrency=2",
    ...(fuzz ? ["--match=*property*"] : []),
    ...files,
  ],
  { stdio: ["ignore", "pipe", "inherit"], env: environment },
);

let passed = 0;
let failed = 0;
let skipped = 0;
let inFailure = false;
for await (const line of createInterface({ input: ava.stdout })) {
  if (line.startsWith("not ok ")) {
    failed += 1;
    inFailure = true;
  } else if (line.startsWith("ok ")) {
    inFailure = false;
    if (/# (SKIP|TODO)/i.test(line)) skipped += 1;
    else passed += 1;
    if (process.stdout.isTTY) process.stdout.write(`${line.slice(0, 100)}\n`);
    continue;
  } else if (/^# (tests|pass|fail|skip)|^1\.\./.test(line)) {
    continue;
  }
  if (inFailure || /^#|^not ok/.test(line)) process.stdout.write(`${line}\n`);
}
const code = await new Promise<number>((resolve) => {
  if (ava.exitCode === null) ava.on("exit", (value) => resolve(value ?? 1));
  else resolve(ava.exitCode);
});
// A run that executed nothing, or whose runner died, did not pass.
if (failed === 0 && (code !== 0 || passed === 0)) failed = 1;
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = failed === 0 ? 0 : 1;
