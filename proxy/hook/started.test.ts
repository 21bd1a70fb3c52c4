import { setImmediate as turn } from "node:timers/promises";
import test from "ava";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { awaitReady } from "./started.ts";

test("awaitReady asks until it is so", async (t) => {
  const clock = new ManualClock(0);
  let asked = 0;
  const waiting = awaitReady(() => Promise.resolve(++asked === 3), clock, 60_000);
  for (let times = 0; times < 5; times += 1) {
    await turn();
    clock.advance(100);
  }
  t.true(await waiting);
  t.is(asked, 3);
});

test("awaitReady gives up at its deadline", async (t) => {
  const clock = new ManualClock(0);
  let asked = 0;
  const waiting = awaitReady(() => Promise.resolve(++asked < 0), clock, 250);
  for (let times = 0; times < 5; times += 1) {
    await turn();
    clock.advance(100);
  }
  t.false(await waiting);
  t.is(asked, 4);
});
