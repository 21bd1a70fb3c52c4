// The suite `proxy`: each work with all its subjects side by side, in alternating rounds, so that the
// machine's moods fall on all of them alike.
import { subjectsOf } from "./field.ts";
import { awaitAnswers, measureRound } from "./measure.ts";
import type { RoundTimes } from "./measure.ts";
import { buildRows, renderWork } from "./rows.ts";
import type { Row, Sample } from "./rows.ts";
import { startSubject } from "./subject.ts";
import type { Bench, Running } from "./subject.ts";
import type { Work } from "./works.ts";

export interface SuiteOptions {
  readonly works: readonly Work[];
  readonly rounds: number;
  readonly subjects: readonly string[];
  readonly measureS: number;
  /** The first round's warm-up; compilers need it. Later rounds get one second. */
  readonly firstWarmUpS: number;
}

export interface Reporter {
  /** Progress, for a person who waits. */
  readonly say: (text: string) => void;
  /** A finished part of the result. */
  readonly print: (text: string) => void;
  /** The rows of a finished work: kept at once, whatever happens to the next. */
  readonly keep: (rows: readonly Row[]) => void;
}

/** Runs all works and returns all rows. Throws what a subject's start throws: no row is ever made up. */
export async function runProxySuite(
  bench: Bench,
  options: SuiteOptions,
  reporter: Reporter,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const work of options.works) {
    const samples = await runWork(bench, work, options, reporter);
    const done = buildRows("proxy", work.name, samples);
    reporter.print(`\n${work.name}\n${renderWork(done)}`);
    reporter.keep(done);
    rows.push(...done);
  }
  return rows;
}

async function runWork(
  bench: Bench,
  work: Work,
  options: SuiteOptions,
  reporter: Reporter,
): Promise<Sample[]> {
  await using stack = new AsyncDisposableStack();
  const wanted = subjectsOf(work).filter(({ name }) => options.subjects.includes(name));
  const field: Running[] = [];
  for (const subject of wanted) {
    reporter.say(`${work.name}: starting ${subject.name}`);
    const running = stack.use(await startSubject(bench, subject, work.route));
    await awaitAnswers(bench, work, running);
    field.push(running);
  }
  const samples: Sample[] = [];
  for (let round = 1; round <= options.rounds; round += 1) {
    const times: RoundTimes = {
      warmUpS: round === 1 ? options.firstWarmUpS : 1,
      measureS: options.measureS,
    };
    for (const running of field) {
      reporter.say(`${work.name}: round ${round} of ${options.rounds}, ${running.name}`);
      samples.push(...(await measureRound(bench, work, running, times, reporter.say)));
    }
  }
  return samples;
}
