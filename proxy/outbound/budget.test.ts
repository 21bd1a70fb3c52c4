import test from "ava";
import { array, assert, integer, property, tuple } from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { RetryBudget, retriesPerSecond, retryShare, windowSeconds } from "./budget.ts";

const savedMin = retriesPerSecond * windowSeconds;

/** How many tries the budget pays for at once. */
function drain(budget: RetryBudget, nowMs: number): number {
  let allowed = 0;
  while (budget.withdraw(nowMs)) allowed += 1;
  return allowed;
}

test("budget allows a window's worth at once, then ten a second and a fifth of traffic", (t) => {
  const budget = new RetryBudget(0);
  let allowed = 0;
  while (budget.withdraw(0)) allowed += 1;
  t.is(allowed, retriesPerSecond * windowSeconds);
  t.false(budget.withdraw(50));
  t.true(budget.withdraw(100));
  for (let index = 0; index < 11; index += 1) budget.deposit();
  t.true(budget.withdraw(100));
  t.true(budget.withdraw(100));
  t.false(budget.withdraw(100));
});

test("budget does not pay when the clock goes back", (t) => {
  const budget = new RetryBudget(1000);
  while (budget.withdraw(1000));
  t.false(budget.withdraw(0));
});

test("budget saves a fifth of the last ten seconds of traffic, and not of what was before", (t) => {
  const busy = new RetryBudget(0);
  for (let index = 0; index < 10_000; index += 1) busy.deposit();
  t.is(drain(busy, 10_000), savedMin + 10_000 * retryShare);
  const longAgo = new RetryBudget(0);
  for (let index = 0; index < 10_000; index += 1) longAgo.deposit();
  longAgo.withdraw(10_000);
  t.is(drain(longAgo, 60_000), savedMin);
  const evenly = new RetryBudget(0);
  for (let index = 0; index < 36_000; index += 1) evenly.deposit();
  t.is(drain(evenly, 3_600_000), savedMin + 100 * retryShare, "ten a second for an hour");
});

test("budget lets retries be a fifth of a steady stream, and ten a second", (t) => {
  const budget = new RetryBudget(0);
  drain(budget, 0);
  let allowed = 0;
  // A thousand requests a second for twenty seconds, all of which ask for a retry.
  for (let now = 1; now <= 20_000; now += 1) {
    budget.deposit();
    if (budget.withdraw(now)) allowed += 1;
  }
  t.true(Math.abs(allowed - 20 * (1000 * retryShare + retriesPerSecond)) <= 1, String(allowed));
});

test("budget property: retries never exceed a fifth of the requests, ten a second and one window", (t) => {
  const steps = array(tuple(integer({ min: 0, max: 50 }), integer({ min: 0, max: 3000 })), {
    maxLength: 60,
  });
  assert(
    property(steps, (all) => {
      const budget = new RetryBudget(0);
      let now = 0;
      let requests = 0;
      let allowed = 0;
      for (const [count, passedMs] of all) {
        for (let index = 0; index < count; index += 1) budget.deposit();
        requests += count;
        now += passedMs;
        allowed += drain(budget, now);
        const earned = requests * retryShare + (now / 1000) * retriesPerSecond;
        if (allowed > savedMin + earned + 1e-6) return false;
      }
      return true;
    }),
    fuzzOptions(t, 200),
  );
  t.pass();
});
