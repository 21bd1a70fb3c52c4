// The suite `ca`: what a certificate costs. Subjects take turns; each round issues some thousands,
// several at a time, and counts all CPU of the process that issues.
import { buildRows, renderWork } from "./rows.ts";
import type { Row, Sample } from "./rows.ts";
import type { Reporter } from "./proxy-suite.ts";
import { issueWorks } from "./issuers.ts";
import type { Issuer } from "./issuer.ts";

export interface CaOptions {
  readonly works: readonly string[];
  readonly subjects: readonly string[];
  readonly rounds: number;
  readonly calls: number;
  readonly ledgerEntries: number;
  readonly projectFolder: string;
  readonly runFolder: string;
  readonly profileFolder: string | null;
  readonly now: () => number;
}

/** Rounds before the first that counts: V8 goes on compiling for some ten thousand calls. */
const warmUpRounds = 4;
/** Whatever was issued until then. */
const warmUpMsMax = 20_000;

async function warmUp(issuer: Issuer, calls: number): Promise<void> {
  const endsAt = performance.now() + warmUpMsMax;
  for (let round = 0; round < warmUpRounds && performance.now() < endsAt; round += 1) {
    await issuer.issue(calls);
  }
}

/** Runs the works and subjects named. Rejects when a subject refuses to issue. */
export async function runCaSuite(options: CaOptions, reporter: Reporter): Promise<Row[]> {
  const { projectFolder, runFolder: folder, profileFolder, now, ledgerEntries } = options;
  const context = { projectFolder, folder, profileFolder, now, ledgerEntries };
  const rows: Row[] = [];
  for (const [work, makers] of Object.entries(issueWorks)) {
    if (!options.works.includes(work)) continue;
    await using stack = new AsyncDisposableStack();
    const field: Issuer[] = [];
    for (const [subject, make] of Object.entries(makers)) {
      if (!options.subjects.includes(subject)) continue;
      const issuer = stack.use(await make(context));
      reporter.say(`${work}: warming up ${subject}`);
      await warmUp(issuer, options.calls);
      field.push(issuer);
    }
    const samples: Sample[] = [];
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const { subject, issue } of field) {
        reporter.say(`${work}: round ${round} of ${options.rounds}, ${subject}`);
        const { cpuUs, perSecond } = await issue(options.calls);
        samples.push({ subject, metric: "cpu_us", value: cpuUs });
        samples.push({ subject, metric: "issues_per_s", value: perSecond });
      }
    }
    const done = buildRows("ca", work, samples);
    reporter.print(`\n${work}\n${renderWork(done)}`);
    reporter.keep(done);
    rows.push(...done);
  }
  return rows;
}
