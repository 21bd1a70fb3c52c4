// What a lazy timer promises: as exact as a timer, and hardly ever set.
import test from "ava";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { LazyTimer } from "./lazy-timer.ts";

function rig() {
  const clock = new ManualClock(0);
  const state = { rings: 0, timers: 0 };
  const counting = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after(delayMs: number, callback: () => void) {
      state.timers += 1;
      return clock.after(delayMs, callback);
    },
  };
  return { clock, state, timer: new LazyTimer(counting, () => (state.rings += 1)) };
}

test("a lazy timer rings once, when it is due and not before", (t) => {
  const { clock, state, timer } = rig();
  timer.arm(100);
  clock.advance(99);
  t.is(state.rings, 0);
  clock.advance(1);
  t.is(state.rings, 1);
  clock.advance(1000);
  t.is(state.rings, 1);
});

test("a lazy timer that is disarmed does not ring, and one that is armed again rings late enough", (t) => {
  const { clock, state, timer } = rig();
  timer.arm(100);
  clock.advance(60);
  timer.disarm();
  clock.advance(20);
  timer.arm(100);
  clock.advance(99);
  t.is(state.rings, 0);
  clock.advance(1);
  t.is(state.rings, 1);
});

test("a lazy timer armed for sooner rings sooner", (t) => {
  const { clock, state, timer } = rig();
  timer.arm(1000);
  timer.arm(10);
  clock.advance(10);
  t.is(state.rings, 1);
  clock.advance(5000);
  t.is(state.rings, 1);
});

test("a lazy timer sets one timer for a thousand requests", (t) => {
  const { clock, state, timer } = rig();
  for (let request = 0; request < 1000; request += 1) {
    timer.arm(15_000);
    timer.disarm();
  }
  t.is(state.timers, 1);
  clock.advance(15_000);
  t.is(state.rings, 0);
  timer.arm(15_000);
  t.is(state.timers, 2);
});

test("a lazy timer that was stopped leaves nothing behind, and can be armed again", (t) => {
  const { clock, state, timer } = rig();
  timer.arm(100);
  timer.stop();
  clock.advance(200);
  t.is(state.rings, 0);
  timer.arm(100);
  clock.advance(100);
  t.is(state.rings, 1);
});
