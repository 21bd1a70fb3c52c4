import test from "ava";
import { SetClock } from "#/test/kit/set-clock.ts";
import { atTime } from "./deadline.ts";

const startMs = Date.UTC(2026, 0, 1);
const lifeMs = 600_000;
const pieceMs = 30_000;

function rig(): {
  readonly clock: SetClock;
  readonly calls: number[];
  readonly cancel: () => void;
} {
  const clock = new SetClock(startMs);
  const calls: number[] = [];
  const cancel = atTime(clock, startMs + lifeMs, () => calls.push(clock.truth.now() - startMs));
  return { clock, calls, cancel };
}

test("atTime calls once, when it is time", (t) => {
  const { clock, calls } = rig();
  clock.truth.advance(lifeMs - 1);
  t.deepEqual(calls, []);
  clock.truth.advance(lifeMs);
  t.deepEqual(calls, [lifeMs]);
});

test("attack-17 atTime notices a clock that was set forward within its piece", (t) => {
  const { clock, calls } = rig();
  clock.truth.advance(60_000);
  clock.wallOffsetMs = lifeMs;
  clock.truth.advance(pieceMs);
  t.is(calls.length, 1);
});

test("attack-18 atTime gives nobody longer by a clock that was set back", (t) => {
  const { clock, calls } = rig();
  clock.truth.advance(60_000);
  clock.wallOffsetMs = -lifeMs;
  clock.truth.advance(lifeMs);
  t.deepEqual(calls, [lifeMs]);
});

test("atTime calls soon what is over, and nothing that was cancelled", (t) => {
  const { clock, calls, cancel } = rig();
  atTime(clock, startMs - 1, () => calls.push(-1));
  clock.truth.advance(1);
  t.deepEqual(calls, [-1]);
  cancel();
  clock.truth.advance(2 * lifeMs);
  t.deepEqual(calls, [-1]);
});
