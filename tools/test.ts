// `npm test`: every ring that this machine can run (in process, network namespaces with the
// kernel's iptables), through ava. The closing line counts what ran: `N passed, N failed, N skipped`.
// `--fuzz` runs the property tests alone, each with many more runs (FUZZ_RUNS).
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const fuzzRuns = "20000";
interface Fuzz {
  readonly environment: Readonly<Record<string, string>>;
  /** Test files at a time. */
  readonly concurrency: number;
  /** Without a result for longer, the run has failed. */
  readonly silenceSMax: number;
}

const slack = 20 * 60;
const manyRuns: Fuzz = { environment: { FUZZ_RUNS: fuzzRuns }, concurrency: 2, silenceSMax: slack };

/** Readers beside ours, and bytes changed: what runs for so long in CI. */
const fuzzedForSeconds = [
  "http/http1/llhttp.test.ts",
  "http/http1/llhttp-response.test.ts",
  "http/http1/mutations.test.ts",
];
const usage = `Runs Signet's tests: in process, and in network namespaces with the kernel's iptables (needs root).

  npm test                              everything, a few minutes
  npm test -- ca http/http1            files and folders
  npm run fuzz [-- FILES]               property tests alone, ${fuzzRuns} runs each
  npm run fuzz -- --seconds 60 [FILES]  each for so long; without files, those of the HTTP/1 parser
  FUZZ_SEED=1 npm test -- FILE          repeats the runs that a failure printed

Ends with one line: N passed, N failed, N skipped.
`;

const flag = { type: "boolean", default: false } as const;
try {
  const { values, positionals } = parseArgs({
    options: { help: { ...flag, short: "h" }, fuzz: flag, seconds: { type: "string" } },
    allowPositionals: true,
  });
  if (values.help) process.stdout.write(usage);
  else if (values.seconds !== undefined)
    process.exitCode = await runFor(values.seconds, positionals);
  else process.exitCode = await run(positionals, values.fuzz ? manyRuns : null);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
  process.exitCode = 2;
}

/** All files side by side: it takes as long as is asked for. */
function runFor(seconds: string, files: readonly string[]): Promise<number> {
  if (!/^[1-9]\d{0,5}$/.test(seconds)) throw new RangeError(`Cannot run for "${seconds}" seconds`);
  const chosen = files.length === 0 ? fuzzedForSeconds : files;
  return run(chosen, {
    environment: { FUZZ_SECONDS: seconds },
    concurrency: chosen.length,
    silenceSMax: Number(seconds) + slack,
  });
}

async function run(files: readonly string[], fuzz: Fuzz | null): Promise<number> {
  const { environment, concurrency } = fuzz ?? { environment: {}, concurrency: 2 };
  const fuzzOnly = fuzz === null ? [] : ["--match=*property*", `--timeout=${fuzz.silenceSMax}s`];
  const ava = spawn(
    process.execPath,
    ["node_modules/.bin/ava", "--tap", `--concurrency=${concurrency}`, ...fuzzOnly, ...files],
    { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...environment } },
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
