import test from "ava";
import { array, assert, boolean, integer, property, tuple } from "fast-check";
import { endpoints } from "#/test/kit/endpoints.ts";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { Chance, pickEndpoint } from "./balance.ts";
import type { EndpointState } from "./endpoint.ts";

test("balance spreads over all endpoints and prefers the one with fewer requests", (t) => {
  const all = endpoints(4);
  const chance = new Chance(7);
  all[0]!.activeRequests = 50;
  const counts = new Map<EndpointState, number>();
  for (let index = 0; index < 4000; index += 1) {
    const picked = pickEndpoint(all, null, 0, chance)!;
    counts.set(picked, (counts.get(picked) ?? 0) + 1);
  }
  t.is(counts.get(all[0]!), undefined, "two choices are two: the busiest of all loses each time");
  for (const endpoint of all.slice(1)) t.true((counts.get(endpoint) ?? 0) > 1200);
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

test("balance keeps the numbers of active requests within a few of each other", (t) => {
  const all = endpoints(20);
  const chance = new Chance(11);
  for (let request = 0; request < 2000; request += 1) {
    pickEndpoint(all, null, 0, chance)!.activeRequests += 1;
  }
  const loads = all.map(({ activeRequests }) => activeRequests);
  t.true(Math.max(...loads) - Math.min(...loads) <= 8, loads.join(" "));
});

test("balance does not herd onto one survivor while half of a cluster is ejected", (t) => {
  const all = endpoints(20);
  const chance = new Chance(13);
  for (const endpoint of all.slice(0, 10)) endpoint.ejectedUntilMs = 100;
  const counts = new Map<EndpointState, number>();
  for (let request = 0; request < 10_000; request += 1) {
    const picked = pickEndpoint(all, null, 50, chance)!;
    counts.set(picked, (counts.get(picked) ?? 0) + 1);
  }
  t.is(counts.size, 10);
  t.true(Math.max(...counts.values()) < 1500, [...counts.values()].join(" "));
});

test("balance property: what is picked is well, and not the one to avoid, whenever there is such a one", (t) => {
  const cluster = array(tuple(boolean(), integer({ min: 0, max: 5 })), {
    minLength: 1,
    maxLength: 9,
  });
  assert(
    property(cluster, integer(), integer({ min: 0, max: 9 }), (states, seed, which) => {
      const all = endpoints(states.length);
      for (const [index, [ejected, active]] of states.entries()) {
        all[index]!.ejectedUntilMs = ejected ? 100 : 0;
        all[index]!.activeRequests = active;
      }
      const avoid = all[which] ?? null;
      const picked = pickEndpoint(all, avoid, 50, new Chance(seed));
      const fit = all.filter((each) => each !== avoid && each.ejectedUntilMs <= 50);
      if (fit.length > 0) return fit.includes(picked!);
      return all.includes(picked!) && (all.length === 1 || picked !== avoid);
    }),
    fuzzOptions(t, 500),
  );
  t.pass();
});

test("chance stays below its bound and reaches all of it", (t) => {
  const chance = new Chance(0);
  for (const bound of [1, 2, 3, 7, 2 ** 31]) {
    let most = 0;
    for (let draw = 0; draw < 1000; draw += 1) {
      const value = chance.below(bound);
      if (!Number.isInteger(value) || value < 0 || value >= bound) t.fail(`${value} of ${bound}`);
      most = Math.max(most, value);
    }
    t.true(most >= bound * 0.9 - 1, `${most} of ${bound}`);
  }
});
