import test from "ava";
import { Chance, pickEndpoint } from "./balance.ts";
import type { EndpointState } from "./endpoint.ts";
import { consecutiveFailuresMax, ejectionBaseMs, noteOutcome } from "./outlier.ts";

function endpoints(count: number): EndpointState[] {
  return Array.from({ length: count }, (_unused, index) => ({
    address: `10.0.0.${index}`,
    port: 80,
    identity: null,
    pod: "",
    local: false,
    name: `10.0.0.${index}:80`,
    activeRequests: 0,
    consecutiveFailures: 0,
    ejections: 0,
    ejectedUntilMs: 0,
  }));
}

test("balance spreads over all endpoints and prefers the one with fewer requests", (t) => {
  const all = endpoints(4);
  const chance = new Chance(7);
  all[0]!.activeRequests = 50;
  const counts = new Map<EndpointState, number>();
  for (let index = 0; index < 4000; index += 1) {
    const picked = pickEndpoint(all, null, 0, chance)!;
    counts.set(picked, (counts.get(picked) ?? 0) + 1);
  }
  // The busy one is picked only when chance names it twice: one time in sixteen.
  t.true((counts.get(all[0]!) ?? 0) < 400);
  for (const endpoint of all.slice(1)) t.true((counts.get(endpoint) ?? 0) > 900);
});

test("balance has no answer without endpoints, and the only one when there is one", (t) => {
  const [only] = endpoints(1);
  t.is(pickEndpoint([], null, 0, new Chance(1)), null);
  t.is(pickEndpoint([only!], only!, 0, new Chance(1)), only!);
});

test("balance never picks the endpoint that just failed while another is left", (t) => {
  const all = endpoints(2);
  const chance = new Chance(3);
  for (let index = 0; index < 200; index += 1) {
    t.is(pickEndpoint(all, all[0]!, 0, chance), all[1]!);
  }
});

test("balance passes ejected endpoints over, and uses them when nothing else is left", (t) => {
  const all = endpoints(3);
  const chance = new Chance(5);
  all[0]!.ejectedUntilMs = 100;
  all[1]!.ejectedUntilMs = 100;
  for (let index = 0; index < 100; index += 1) t.is(pickEndpoint(all, null, 50, chance), all[2]!);
  all[2]!.ejectedUntilMs = 100;
  t.not(pickEndpoint(all, null, 50, chance), null);
  t.not(pickEndpoint(all, all[2]!, 50, chance), all[2]!);
});

test("outlier ejects after so many failures in a row, longer each time, never half of a cluster", (t) => {
  const all = endpoints(4);
  const fail = (endpoint: EndpointState, now: number): boolean => {
    let ejected = false;
    for (let index = 0; index < consecutiveFailuresMax; index += 1) {
      ejected = noteOutcome(endpoint, all, true, now);
    }
    return ejected;
  };
  t.true(fail(all[0]!, 1000));
  t.is(all[0]!.ejectedUntilMs, 1000 + ejectionBaseMs);
  t.true(fail(all[1]!, 1000));
  t.false(fail(all[2]!, 1000), "half of the cluster is out already");
  t.true(fail(all[0]!, 20_000));
  t.is(all[0]!.ejectedUntilMs, 20_000 + 2 * ejectionBaseMs);
});

test("outlier forgets failures at a success", (t) => {
  const all = endpoints(2);
  for (let index = 1; index < consecutiveFailuresMax; index += 1)
    noteOutcome(all[0]!, all, true, 0);
  noteOutcome(all[0]!, all, false, 0);
  t.false(noteOutcome(all[0]!, all, true, 0));
  t.is(all[0]!.ejectedUntilMs, 0);
});

test("outlier never ejects the only endpoint", (t) => {
  const all = endpoints(1);
  for (let index = 0; index < 50; index += 1) t.false(noteOutcome(all[0]!, all, true, 0));
});
