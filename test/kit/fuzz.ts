// How long property tests run: a default in `npm test`, FUZZ_RUNS in `npm run fuzz`. The seed is logged
// with each, and FUZZ_SEED repeats a run.

/** Runs of one property. */
export function fuzzRuns(defaultRuns: number): number {
  const wanted = Number(process.env["FUZZ_RUNS"] ?? "");
  return Number.isSafeInteger(wanted) && wanted > 0 ? wanted : defaultRuns;
}

/** Parameters for fc.assert; logs the seed so that a failure elsewhere can be repeated. */
export function fuzzOptions(
  t: { log(...values: unknown[]): void },
  defaultRuns: number,
): { readonly numRuns: number; readonly seed: number } {
  const wanted = Number(process.env["FUZZ_SEED"] ?? "");
  const chosen = Number.isSafeInteger(wanted) && wanted > 0;
  const seed = chosen ? wanted : Math.floor(Math.random() * 0x7fffffff) + 1;
  const numRuns = fuzzRuns(defaultRuns);
  t.log(`FUZZ_SEED=${seed} FUZZ_RUNS=${numRuns}`);
  return { numRuns, seed };
}

/** For properties that cost milliseconds each: no more than a minute, however many runs were asked for. */
export function timedFuzzOptions(
  t: { log(...values: unknown[]): void },
  defaultRuns: number,
): { readonly numRuns: number; readonly seed: number; readonly interruptAfterTimeLimit: number } {
  return { ...fuzzOptions(t, defaultRuns), interruptAfterTimeLimit: 60_000 };
}
