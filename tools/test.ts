// `npm test`: every ring that this machine can run (in process, network namespaces with the
// kernel's iptables), through ava. The closing line counts what ran: `N passed, N failed, N skipped`.
// `--fuzz` runs the property tests alone, each with many more runs (FUZZ_RUNS).
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const fuzzRuns = "20000";
const usage = `Runs Signet's tests: in process, and in network namespaces with the kernel's iptables (needs root).

  npm test                              everything, a few minutes
  npm test -- ca proxy/http1            files and folders
  npm run fuzz [-- FILES]               property tests alone, ${fuzzRuns} runs each
  FUZZ_SEED=1 npm test -- FILE          repeats the runs that a failure printed

Ends with one line: N passed, N failed, N skipped.
`;

const flag = { type: "boolean", default: false } as const;
try {
  const { values, positionals } = parseArgs({
    options: { help: { ...flag, short: "h" }, fuzz: flag },
    allowPositionals: true,
  });
  if (values.help) process.stdout.write(usage);
  else process.exitCode = await run(values.fuzz, positionals);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
  process.exitCode = 2;
}

async function run(fuzz: boolean, files: readonly string[]): Promise<number> {
  const environment = { ...process.env, ...(fuzz ? { FUZZ_RUNS: fuzzRuns } : {}) };
  const fuzzOnly = fuzz ? ["--match=*property*", "--timeout=20m"] : [];
  const ava = spawn(
    process.execPath,
    ["node_modules/.bin/ava", "--tap", "--concurrency=2", ...fuzzOnly, ...files],
    { stdio: ["ignore", "pipe", "inherit"], env: environment },
  );
  const ended = new Promise<number>((resolve) => ava.on("exit", (code) => resolve(code ?? 1)));
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
  const code = await ended;
  // A run that executed nothing, or whose runner died, did not pass.
  if (failed === 0 && (code !== 0 || passed === 0)) {
    failed = 1;
    process.stdout.write(
      "The runner died, or a test never ended; to see which: node_modules/.bin/ava --timeout 30s\n",
    );
  }
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  return failed === 0 ? 0 : 1;
}
