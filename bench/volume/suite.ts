// The suite `volume`: what many callers that do next to nothing cost, ours beside Envoy, in alternating rounds.
import { subjectsOf } from "../field.ts";
import { awaitAnswers } from "../measure.ts";
import type { Reporter } from "../proxy-suite.ts";
import { buildRows, renderWork } from "../rows.ts";
import type { Row, Sample } from "../rows.ts";
import { startSubject } from "../subject.ts";
import type { Bench, Running } from "../subject.ts";
import { measureVolume, others, outboundKib } from "./measure.ts";
import type { VolumeWork } from "./works.ts";

export interface VolumeSuiteOptions {
  readonly works: readonly VolumeWork[];
  readonly rounds: number;
  readonly subjects: readonly string[];
}

/** Who can be held against ours here: the other peers limit connections by their configuration. */
export const volumeSubjects: readonly string[] = subjectsOf(others)
  .map(({ name }) => name)
  .filter((name) => name === "signet" || name.startsWith("envoy"));

/** Runs all works and returns all rows. Throws what a subject's start throws. */
export async function runVolumeSuite(
  bench: Bench,
  { works, rounds, subjects }: VolumeSuiteOptions,
  reporter: Reporter,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const work of works) {
    await using stack = new AsyncDisposableStack();
    const field: { readonly running: Running; readonly beforeKib: number }[] = [];
    for (const subject of subjectsOf(others)) {
      if (!volumeSubjects.includes(subject.name) || !subjects.includes(subject.name)) continue;
      reporter.say(`${work.name}: starting ${subject.name}`);
      const running = stack.use(await startSubject(bench, subject, "pair"));
      await awaitAnswers(bench, others, running);
      field.push({ running, beforeKib: outboundKib(running) });
    }
    const samples: Sample[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      for (const { running, beforeKib } of field) {
        reporter.say(`${work.name}: round ${round} of ${rounds}, ${running.name}`);
        samples.push(...(await measureVolume(bench, work, running, beforeKib)));
      }
    }
    const done = buildRows("volume", work.name, samples);
    reporter.print(`\n${work.name}\n${renderWork(done)}`);
    reporter.keep(done);
    rows.push(...done);
  }
  return rows;
}
