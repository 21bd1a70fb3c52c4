// A connection ends with its certificates, whatever a clock is set to, and all of them are watched by
// one timer.
import test from "ava";
import { SetClock } from "#/test/kit/set-clock.ts";
import { Cut } from "./cut.ts";
import { Deadlines } from "./deadline.ts";

const startMs = Date.UTC(2026, 0, 1);
const lifeMs = 600_000;
/** After notAfter, attack case 17 allows a second. */
const lateMsMax = 1_000;

interface Rig {
  readonly clock: SetClock;
  readonly deadlines: Deadlines;
  readonly cut: Cut;
  readonly ends: number[];
}

function rig(): Rig {
  const clock = new SetClock(startMs);
  const deadlines = new Deadlines(clock);
  const ends: number[] = [];
  const cut = new Cut(startMs + lifeMs, clock, deadlines, () => ends.push(clock.truth.now()));
  return { clock, deadlines, cut, ends };
}

test("attack-17 a connection is cut within a second of its certificates' end, once", (t) => {
  const { clock, ends } = rig();
  clock.truth.advance(lifeMs - 1);
  t.deepEqual(ends, []);
  clock.truth.advance(lateMsMax);
  t.is(ends.length, 1);
  clock.truth.advance(lifeMs);
  t.is(ends.length, 1);
});

test("attack-17 a clock set forward past the end cuts within a second", (t) => {
  const { clock, ends } = rig();
  clock.truth.advance(60_000);
  clock.wallOffsetMs = lifeMs;
  clock.truth.advance(lateMsMax);
  t.is(ends.length, 1);
});

test("attack-18 a clock set back lengthens no connection", (t) => {
  const { clock, ends } = rig();
  clock.truth.advance(60_000);
  clock.wallOffsetMs = -lifeMs;
  clock.truth.advance(lifeMs - 60_000 - 1);
  t.deepEqual(ends, []);
  clock.truth.advance(lateMsMax);
  t.is(ends.length, 1);
});

test("attack-17 certificates that have ended already are no reason to wait", (t) => {
  const clock = new SetClock(startMs);
  const deadlines = new Deadlines(clock);
  let ends = 0;
  void new Cut(startMs - 1, clock, deadlines, () => (ends += 1));
  clock.truth.advance(lateMsMax);
  t.is(ends, 1);
});

test("cut does nothing after it was cancelled", (t) => {
  const { clock, cut, ends } = rig();
  cut.cancel();
  clock.truth.advance(2 * lifeMs);
  t.deepEqual(ends, []);
});
