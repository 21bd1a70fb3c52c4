import test from "ava";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { sleep, systemClock } from "./clock.ts";

test("sleep ends after its time, not before", async (t) => {
  const clock = new ManualClock(0);
  let over = false;
  const sleeping = sleep(clock, 100).then(() => (over = true));
  clock.advance(99);
  await Promise.resolve();
  t.false(over);
  clock.advance(1);
  await sleeping;
  t.true(over);
});

test("sleep ends at once when its signal aborts, and leaves no timer", async (t) => {
  const clock = new ManualClock(0);
  const controller = new AbortController();
  const sleeping = sleep(clock, 100, controller.signal);
  t.is(clock.timerCount, 1);
  controller.abort();
  await sleeping;
  t.is(clock.timerCount, 0);
  await sleep(clock, 100, controller.signal);
  t.is(clock.timerCount, 0);
});

test("systemClock does not take a delay too long for Node's timers for none at all", async (t) => {
  let called = false;
  const cancel = systemClock.after(2 ** 40, () => (called = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  cancel();
  t.false(called);
});
