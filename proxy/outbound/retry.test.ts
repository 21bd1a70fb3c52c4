import test from "ava";
import { assert, boolean, constantFrom, integer, property, record, subarray } from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import type { UpstreamFailure } from "../stream/transport.ts";
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
  [
    "a response that cannot be read, unless the route names 502",
    { status: 0, failure: "response_invalid" },
    "not_retriable",
  ],
  [
    "a try that ran out of time and is not idempotent",
    { idempotent: false, status: 0, failure: "try_timeout" },
    "not_idempotent",
  ],
  [
    "a connection that ended under one that is not idempotent",
    { idempotent: false, status: 0, failure: "ended" },
    "not_idempotent",
  ],
  ["a time that is over before the next try", { remainingMs: 18 }, "deadline"],
];
for (const [what, change, reason] of stops) {
  test(`retry is not made for ${what}`, (t) => {
    t.deepEqual(decideRetry(policy, { ...facts, ...change }, 0.5), {
      kind: "stop",
      reason,
    } as never);
  });
}

const goes: readonly [string, Partial<TryFacts>][] = [
  ["a named status of an idempotent request", {}],
  ["a reset before the response of an idempotent request", { status: 0, failure: "reset" }],
  [
    "a refused connection, whatever the method",
    { status: 0, failure: "connect_refused", sent: false, idempotent: false },
  ],
  ["a time that is not over before the next try", { remainingMs: 20 }],
  ["a try that ran out of its own time", { status: 0, failure: "try_timeout" }],
  ["a connection that ended before the response", { status: 0, failure: "ended" }],
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

test("retry without a route's policy repeats only what is always safe", (t) => {
  const kind = (change: Partial<TryFacts>): string =>
    decideRetry(defaultRetryPolicy, { ...facts, status: 0, ...change }, 0).kind;
  t.is(kind({ failure: "reset" }), "retry");
  t.is(kind({ failure: "reset", idempotent: false }), "stop");
  t.is(kind({ failure: "connect_refused", sent: false, idempotent: false }), "retry");
  t.is(kind({ failure: "response_invalid" }), "stop");
  t.is(kind({ failure: "reset", repeats: 2 }), "stop");
});

test("retry repeats a response that cannot be read when the route names 502", (t) => {
  const change = { status: 0, failure: "response_invalid" } as const;
  const verdict = decideRetry({ ...policy, codes: [502] }, { ...facts, ...change }, 0);
  t.is(verdict.kind === "retry" ? verdict.reason : "", "response_invalid");
});

test("retry property: what may have been carried out twice is idempotent, and all of it is there", (t) => {
  const failures = constantFrom<UpstreamFailure | null>(
    null,
    "connect_refused",
    "connect_timeout",
    "connect_failed",
    "tls_failed",
    "identity_refused",
    "no_credentials",
    "overflow",
    "reset",
    "ended",
    "response_invalid",
    "response_timeout",
    "try_timeout",
  );
  const tries = record({
    repeats: integer({ min: 0, max: 20 }),
    idempotent: boolean(),
    sent: boolean(),
    replayable: boolean(),
    status: constantFrom(0, 200, 404, 500, 502, 503),
    failure: failures,
  });
  const codes = subarray([500, 502, 503, 504]);
  assert(
    property(codes, integer({ min: 0, max: 16 }), tries, (named, attempts, made) => {
      const verdict = decideRetry({ ...policy, codes: named, attempts }, made, 0.5);
      if (verdict.kind === "stop") return true;
      if (made.sent && !made.idempotent) return false;
      if (made.failure === null && !named.includes(made.status)) return false;
      return made.replayable && made.repeats < attempts && verdict.afterMs <= backoffMaxMs;
    }),
    fuzzOptions(t, 1000),
  );
  t.pass();
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
