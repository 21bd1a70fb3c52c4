import test from "ava";
import { RetryBudget, retriesPerSecond, windowSeconds } from "./budget.ts";
import { backoffMaxMs, decideRetry, defaultRetryPolicy } from "./retry.ts";
import type { TryFacts } from "./retry.ts";

const policy = { codes: [500, 503], attempts: 3, backoffMs: 25, perTryTimeoutMs: 0 };
const facts: TryFacts = {
  repeats: 0,
  idempotent: true,
  sent: true,
  replayable: true,
  status: 500,
  failure: null,
};

const stops: readonly [string, Partial<TryFacts>, string][] = [
  ["a status that is not named", { status: 404 }, "not_retriable"],
  ["a status of success", { status: 200 }, "not_retriable"],
  [
    "a request that may have been carried out and is not idempotent",
    { idempotent: false },
    "not_idempotent",
  ],
  [
    "a reset of one that is not idempotent",
    { idempotent: false, status: 0, failure: "reset" },
    "not_idempotent",
  ],
  ["a body that is no longer held", { replayable: false }, "body_too_large"],
  ["the last attempt", { repeats: 3 }, "attempts_exhausted"],
  ["too many waiting", { status: 0, failure: "overflow" }, "not_retriable"],
  ["an expired certificate of ours", { status: 0, failure: "no_credentials" }, "not_retriable"],
  ["a response that timed out", { status: 0, failure: "response_timeout" }, "not_retriable"],
];
for (const [what, change, reason] of stops) {
  test(`retry is not made for ${what}`, (t) => {
    t.deepEqual(decideRetry(policy, { ...facts, ...change }, 0), { kind: "stop", reason } as never);
  });
}

const goes: readonly [string, Partial<TryFacts>][] = [
  ["a named status of an idempotent request", {}],
  ["a reset before the response of an idempotent request", { status: 0, failure: "reset" }],
  [
    "a refused connection, whatever the method",
    { status: 0, failure: "connect_refused", sent: false, idempotent: false },
  ],
  [
    "a refused identity, nothing having been sent",
    { status: 0, failure: "identity_refused", sent: false },
  ],
];
for (const [what, change] of goes) {
  test(`retry is made for ${what}`, (t) => {
    t.is(decideRetry(policy, { ...facts, ...change }, 0).kind, "retry");
  });
}

test("retry of a status is not made without a route's policy", (t) => {
  t.is(decideRetry(defaultRetryPolicy, facts, 0).kind, "stop");
});

test("retry backs off longer each time up to the ceiling", (t) => {
  const after = (repeats: number): number => {
    const verdict = decideRetry({ ...policy, attempts: 16 }, { ...facts, repeats }, 0.999);
    return verdict.kind === "retry" ? verdict.afterMs : -1;
  };
  t.is(after(0), 25);
  t.is(after(1), 50);
  t.is(after(15), backoffMaxMs);
});

test("retry goes at once to another endpoint when nothing was sent", (t) => {
  const verdict = decideRetry(
    policy,
    { ...facts, status: 0, failure: "connect_failed", sent: false },
    0.5,
  );
  t.deepEqual(verdict, { kind: "retry", reason: "connect_failed", afterMs: 0 });
});

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
