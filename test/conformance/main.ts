// `npm run test:conformance`: what the CA makes, what our verifier says, what our parser lets through and how our
// HTTP/2 speaks, judged by programs that others wrote. Fetches them, runs the test files of this folder, and ends with one line:
// N passed, N failed, N skipped.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MeshError, messageOf } from "#/lib/errors.ts";
import { goPart } from "../cluster/build/go-module.ts";
import { RigError } from "../cluster/errors.ts";
import { takeLock } from "../cluster/lock.ts";
import { say } from "../cluster/progress.ts";
import { conclude, runTests } from "../cluster/ring.ts";
import { originEnvironment } from "./origin-parts.ts";
import { tallyTable } from "./origins/tally.ts";
import type { Tally } from "./origins/tally.ts";
import { spiffeClients } from "./spiffe-clients.ts";

const certificatesDefault = 2000;
const usage = `Judges Signet by what others wrote: go-spiffe on chains of certificates, zlint on certificates,
tessera on logs, the SPIFFE libraries of Go, Python and Java on the Workload API, h2spec on HTTP/2, seven
servers on what the sidecars pass on to them under attack.

  npm run test:conformance                                everything, ${certificatesDefault} certificates
  npm run test:conformance -- --certificates 100000       as many as you have time for
  npm run test:conformance -- FILES                       test files of test/conformance

The first run builds small Go programs (a Go compiler is fetched where there is none of at least
1.25) and fetches the other libraries; they are kept in ~/.cache/signet. nginx, Apache, Maven and Java
are installed where they are missing. Ends with one line: N passed, N failed, N skipped.
`;

const folder = path.dirname(fileURLToPath(import.meta.url));

try {
  const { values, positionals } = parseArgs({
    options: {
      help: { type: "boolean", short: "h", default: false },
      certificates: { type: "string", default: String(certificatesDefault) },
    },
    allowPositionals: true,
  });
  if (values.help) process.stdout.write(usage);
  else process.exitCode = await judge(positionals, values.certificates);
} catch (error) {
  say(`signet: ${messageOf(error)}`);
  if (error instanceof MeshError && error.next !== "") say(`  ${error.next}`);
  // Whoever reads only the last line must not take this for success.
  process.stdout.write("0 passed, 1 failed, 0 skipped\n");
  process.exitCode = 1;
}

async function judge(files: readonly string[], certificates: string): Promise<number> {
  if (!/^[1-9]\d{0,6}$/.test(certificates)) {
    throw new RigError("usage", `Cannot make "${certificates}" certificates`, { next: usage });
  }
  await using _lock = await takeLock("tests", "conformance");
  const parts = path.join(folder, "parts");
  const spiffeVerify = await goPart({
    name: "spiffe-verify",
    parts,
    requires: { "github.com/spiffe/go-spiffe/v2": "v2.9.0" },
  });
  const certificateLint = await goPart({
    name: "certificate-lint",
    parts,
    requires: { "github.com/zmap/zlint/v3": "v3.6.8" },
  });
  const logCheck = await goPart({
    name: "log-check",
    parts,
    requires: { "github.com/transparency-dev/tessera": "v1.0.4" },
  });
  const { go, python, java } = await spiffeClients();
  const tallies = mkdtempSync(path.join(tmpdir(), "signet-tallies-"));
  const h2spec = await goPart({
    name: "h2spec",
    parts,
    // It names no versions itself.
    requires: {
      "github.com/summerwind/h2spec": "v2.2.1+incompatible",
      "github.com/fatih/color": "v1.19.0",
      "golang.org/x/net": "v0.62.0",
    },
  });
  const environment = {
    ...(await originEnvironment(parts)),
    SIGNET_TEST_TALLIES: tallies,
    SIGNET_TEST_RING: "conformance",
    SIGNET_TEST_SPIFFE_VERIFY: path.join(spiffeVerify, "spiffe-verify"),
    SIGNET_TEST_CERTIFICATE_LINT: path.join(certificateLint, "certificate-lint"),
    SIGNET_TEST_CERTIFICATES: certificates,
    SIGNET_TEST_LOG_CHECK: path.join(logCheck, "log-check"),
    SIGNET_TEST_GO_SPIFFE: go,
    SIGNET_TEST_PYTHON_SPIFFE: python,
    SIGNET_TEST_JAVA_SPIFFE: java,
    SIGNET_TEST_H2SPEC: path.join(h2spec, "h2spec"),
  };
  try {
    const counts = await runTests({ files, environment, concurrency: 2 });
    sayTallies(tallies);
    return conclude([counts]);
  } finally {
    rmSync(tallies, { recursive: true });
  }
}

/** What each origin's tests left. */
function sayTallies(folder: string): void {
  const tallies = readdirSync(folder).map((file): readonly [string, Record<string, Tally>] => {
    const text = readFileSync(path.join(folder, file), "utf8");
    return [path.basename(file, ".json"), JSON.parse(text) as Record<string, Tally>];
  });
  if (tallies.length > 0) process.stdout.write(tallyTable(tallies));
}
