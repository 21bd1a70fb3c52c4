import test from "ava";
import { array, assert, boolean, integer, property, tuple } from "fast-check";
import { endpoints } from "#/test/kit/endpoints.ts";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import type { UpstreamFailure } from "../stream/transport.ts";
import type { EndpointState } from "./endpoint.ts";
import {
  consecutiveFailuresMax,
  ejectionBaseMs,
  ejectionMaxMs,
  ejectionMemoryMs,
  isEndpointFault,
  noteOutcome,
} from "./outlier.ts";

function failInARow(endpoint: EndpointState, all: EndpointState[], now: number): boolean {
  let ejected = false;
  for (let index = 0; index < consecutiveFailuresMax; index += 1) {
    ejected = noteOutcome(endpoint, all, true, now);
  }
  return ejected;
}

test("outlier ejects after so many failures in a row, longer each time, never half of a cluster", (t) => {
  const all = endpoints(4);
  t.true(failInARow(all[0]!, all, 1000));
  t.is(all[0]!.ejectedUntilMs, 1000 + ejectionBaseMs);
  t.true(failInARow(all[1]!, all, 1000));
  t.false(failInARow(all[2]!, all, 1000), "half of the cluster is out already");
  t.true(failInARow(all[0]!, all, 20_000));
  t.is(all[0]!.ejectedUntilMs, 20_000 + 2 * ejectionBaseMs);
});

test("outlier ejects one that had to wait for others as soon as there is room", (t) => {
  const all = endpoints(2);
  t.true(failInARow(all[0]!, all, 1000));
  t.false(failInARow(all[1]!, all, 1000));
  t.true(noteOutcome(all[1]!, all, true, 1000 + ejectionBaseMs));
});

test("outlier forgets failures at a success", (t) => {
  const all = endpoints(2);
  for (let index = 1; index < consecutiveFailuresMax; index += 1) {
    t.false(noteOutcome(all[0]!, all, true, 0));
  }
  noteOutcome(all[0]!, all, false, 0);
  t.false(noteOutcome(all[0]!, all, true, 0));
  t.is(all[0]!.ejectedUntilMs, 0);
});

test("outlier never ejects the only endpoint", (t) => {
  const all = endpoints(1);
  for (let index = 0; index < 50; index += 1) t.false(noteOutcome(all[0]!, all, true, 0));
});

test("outlier does not hold against an endpoint what was under way when it was ejected", (t) => {
  const all = endpoints(2);
  t.true(failInARow(all[0]!, all, 1000));
  t.false(failInARow(all[0]!, all, 2000));
  t.is(all[0]!.consecutiveFailures, 0);
  t.false(noteOutcome(all[0]!, all, true, 1000 + ejectionBaseMs));
});

test("outlier doubles an ejection up to the longest, also when successes lie in between", (t) => {
  const all = endpoints(2);
  const [endpoint] = all;
  let now = 0;
  const times: number[] = [];
  for (let round = 0; round < 8; round += 1) {
    t.true(failInARow(endpoint!, all, now));
    times.push(endpoint!.ejectedUntilMs - now);
    now = endpoint!.ejectedUntilMs;
    for (let success = 0; success < 10; success += 1) noteOutcome(endpoint!, all, false, now);
  }
  t.deepEqual(times, [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000]);
  t.is(times.at(-1), ejectionMaxMs);
  now += 5 * ejectionMemoryMs;
  failInARow(endpoint!, all, now);
  t.is(endpoint!.ejectedUntilMs - now, ejectionBaseMs, "five minutes forget the longest row");
});

test("outlier forgets an ejection a minute", (t) => {
  const all = endpoints(2);
  const [endpoint] = all;
  failInARow(endpoint!, all, 0);
  failInARow(endpoint!, all, endpoint!.ejectedUntilMs);
  const end = endpoint!.ejectedUntilMs;
  const later = end + ejectionMemoryMs;
  failInARow(endpoint!, all, later);
  t.is(endpoint!.ejectedUntilMs - later, 2 * ejectionBaseMs);
  const muchLater = endpoint!.ejectedUntilMs + 10 * ejectionMemoryMs;
  failInARow(endpoint!, all, muchLater);
  t.is(endpoint!.ejectedUntilMs - muchLater, ejectionBaseMs);
});

test("outlier property: never more than half of a cluster is out, whatever happens", (t) => {
  const events = array(
    tuple(integer({ min: 0, max: 8 }), boolean(), integer({ min: 0, max: 4000 })),
    { maxLength: 300 },
  );
  assert(
    property(integer({ min: 1, max: 9 }), events, (count, happened) => {
      const all = endpoints(count);
      let now = 0;
      for (const [which, failed, passedMs] of happened) {
        now += passedMs;
        noteOutcome(all[which % count]!, all, failed, now);
        const out = all.filter(({ ejectedUntilMs }) => ejectedUntilMs > now).length;
        if (out * 2 > count) return false;
        if (all.some(({ ejectedUntilMs }) => ejectedUntilMs > now + ejectionMaxMs)) return false;
      }
      return true;
    }),
    fuzzOptions(t, 300),
  );
  t.pass();
});

const faults: readonly [UpstreamFailure, boolean][] = [
  ["no_credentials", false],
  ["overflow", false],
  ["connect_refused", true],
  ["connect_timeout", true],
  ["connect_failed", true],
  ["tls_failed", true],
  ["identity_refused", true],
  ["reset", true],
  ["ended", true],
  ["response_invalid", true],
  ["response_timeout", true],
  ["try_timeout", true],
];
for (const [failure, expected] of faults) {
  test(`outlier holds ${failure} against ${expected ? "the endpoint" : "nobody"}`, (t) => {
    t.is(isEndpointFault(failure), expected);
  });
}
