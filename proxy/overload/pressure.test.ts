// The table of when new work is refused, sample by sample.
import test from "ava";
import { CALM, HIGH, SEVERE, calmState, defaultPressureLimits, nextPressure } from "./pressure.ts";
import type { Pressure, PressureSample } from "./pressure.ts";

type Said = Partial<Omit<PressureSample, "nowMs">>;

const stepMs = 250;
const busy = { lagMs: 0, memoryShare: 0.5, arrivals: 100, connections: 1000 };

/** Each sample `times` times, a sweep apart; the levels after each. */
function levelsOf(...said: readonly (readonly [times: number, sample: Said])[]): Pressure[] {
  let state = calmState;
  let nowMs = 10_000;
  return said.flatMap(([times, sample]) =>
    Array.from({ length: times }, () => {
      nowMs += stepMs;
      state = nextPressure(state, { ...busy, ...sample, nowMs }, defaultPressureLimits);
      return state.level;
    }),
  );
}

const last = (levels: readonly Pressure[]): Pressure | undefined => levels.at(-1);

test("nextPressure rises once a limit was passed for long enough, and not by one moment", (t) => {
  t.deepEqual(levelsOf([5, { lagMs: 250 }]), [CALM, CALM, CALM, CALM, HIGH]);
  t.is(last(levelsOf([50, { lagMs: 249 }])), CALM);
  t.is(last(levelsOf([4, { lagMs: 900 }], [1, { lagMs: 0 }], [4, { lagMs: 900 }])), CALM);
  t.is(last(levelsOf([1, { lagMs: 60_000 }], [9, {}])), CALM);
  t.is(last(levelsOf([5, { memoryShare: 0.85 }])), HIGH);
});

test("nextPressure is severe at four times the lag, or with next to no memory left", (t) => {
  t.is(last(levelsOf([5, { lagMs: 1000 }])), SEVERE);
  t.is(last(levelsOf([5, { lagMs: 300 }], [5, { lagMs: 1000 }])), SEVERE);
  t.is(last(levelsOf([5, { memoryShare: 0.95 }])), SEVERE);
});

test("nextPressure falls only well below the limit, after a while, and by as much as it may", (t) => {
  const high = [5, { lagMs: 300 }] as const;
  t.deepEqual(levelsOf(high, [5, { lagMs: 100 }]).slice(5), [HIGH, HIGH, HIGH, HIGH, CALM]);
  t.is(last(levelsOf(high, [50, { lagMs: 130 }])), HIGH);
  t.is(last(levelsOf(high, [4, {}], [1, { lagMs: 200 }], [4, {}])), HIGH);
  t.is(last(levelsOf([5, { lagMs: 1500 }], [5, { lagMs: 400 }])), HIGH);
  t.is(last(levelsOf([5, { memoryShare: 0.86 }], [50, { memoryShare: 0.81 }])), HIGH);
  t.is(last(levelsOf([5, { memoryShare: 0.86 }], [5, { memoryShare: 0.79 }])), CALM);
});

test("nextPressure does not blame requests for a lag that they cannot have made", (t) => {
  t.is(last(levelsOf([50, { lagMs: 5000, arrivals: 15 }])), CALM);
  t.is(last(levelsOf([5, { lagMs: 5000 }], [5, { lagMs: 5000, arrivals: 0 }])), CALM);
});

test("nextPressure never refuses for ever because memory is not given back", (t) => {
  const full = { memoryShare: 0.99 };
  t.is(last(levelsOf([5, full], [5, { ...full, connections: 63 }])), CALM);
  t.is(last(levelsOf([50, { ...full, connections: 10 }])), CALM);
});

test("nextPressure names what it was", (t) => {
  const state = (sample: Said) =>
    nextPressure(
      { ...calmState, risingSinceMs: 1 },
      { ...busy, ...sample, nowMs: 5000 },
      defaultPressureLimits,
    );
  t.is(state({ lagMs: 300 }).cause, "lag");
  t.is(state({ memoryShare: 0.9 }).cause, "memory");
  t.is(state({ lagMs: 300, memoryShare: 0.9 }).cause, "memory");
  t.is(state({ lagMs: 3000, memoryShare: 0.9 }).cause, "lag");
  t.is(state({}).cause, null);
});
