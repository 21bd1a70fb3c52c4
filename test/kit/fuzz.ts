// How long property tests run: a default in `npm test`, FUZZ_RUNS or FUZZ_SECONDS in `npm run fuzz`. The seed
// is logged with each, and FUZZ_SEED repeats a run.
import { seededRandom } from "#/lib/seeded-random.ts";
import type { Random } from "#/lib/seeded-random.ts";

interface Logged {
  log(...values: unknown[]): void;
}

interface FuzzOptions {
  readonly numRuns: number;
  readonly seed: number;
  readonly interruptAfterTimeLimit?: number;
}

const endlessRuns = 1e9;
const roundsAtATime = 64;

/** Runs of one property. */
export function fuzzRuns(defaultRuns: number): number {
  return wanted("FUZZ_RUNS") ?? defaultRuns;
}

/** Parameters for fc.assert; logs the seed so that a failure elsewhere can be repeated. */
export function fuzzOptions(t: Logged, defaultRuns: number): FuzzOptions {
  const seed = wanted("FUZZ_SEED") ?? Math.floor(Math.random() * 0x7fffffff) + 1;
  const seconds = wanted("FUZZ_SECONDS");
  const numRuns = seconds === undefined ? fuzzRuns(defaultRuns) : endlessRuns;
  const length = seconds === undefined ? `FUZZ_RUNS=${numRuns}` : `FUZZ_SECONDS=${seconds}`;
  t.log(`FUZZ_SEED=${seed} ${length}`);
  const options = { numRuns, seed };
  return seconds === undefined ? options : { ...options, interruptAfterTimeLimit: seconds * 1000 };
}

/**
 * As many runs as are wanted of what makes its own input, each with its own source of chance. Returns how
 * many there were.
 */
export async function fuzzRounds(
  t: Logged,
  defaultRuns: number,
  run: (random: Random) => Promise<void> | void,
): Promise<number> {
  const { numRuns, seed, interruptAfterTimeLimit: limitMs } = fuzzOptions(t, defaultRuns);
  const end = limitMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + limitMs;
  const random = seededRandom(seed);
  let runs = 0;
  for (; runs < numRuns && Date.now() < end; runs += 1) {
    // Others of the same file have their turn.
    if (runs % roundsAtATime === 0) await new Promise((resolve) => setImmediate(resolve));
    await run(random);
  }
  return runs;
}

function wanted(variable: string): number | undefined {
  const value = Number(process.env[variable] ?? "");
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

/** For properties that cost milliseconds each: no more than a minute, however many runs were asked for. */
export function timedFuzzOptions(
  t: { log(...values: unknown[]): void },
  defaultRuns: number,
): { readonly numRuns: number; readonly seed: number; readonly interruptAfterTimeLimit: number } {
  return { ...fuzzOptions(t, defaultRuns), interruptAfterTimeLimit: 60_000 };
}
