import test from "ava";
import { binomialInterval, endOfConnection, establishedTo } from "./arithmetic.ts";
import { falseAlarm, lifetimes, percent } from "./arithmetic.ts";

test("binomialInterval of 300 at 30 % is what the tour prints", (t) => {
  const { low, high, mean, deviation } = binomialInterval(300, 0.3);
  t.deepEqual([low, high, mean], [63, 117, 90]);
  t.is(deviation.toFixed(3), "7.937");
});

test("binomialInterval misses a true count less than twice in a thousand", (t) => {
  const [trials, probability] = [300, 0.3];
  const { low, high } = binomialInterval(trials, probability);
  // The exact distribution, term by term.
  let term = (1 - probability) ** trials;
  let outside = 0;
  for (let count = 0; count <= trials; count += 1) {
    if (count < low || count > high) outside += term;
    term *= ((trials - count) / (count + 1)) * (probability / (1 - probability));
  }
  t.true(outside < 0.001, String(outside));
});

test("binomialInterval stays within what is possible", (t) => {
  t.deepEqual(binomialInterval(10, 0), { low: 0, high: 0, mean: 0, deviation: 0 });
  t.is(binomialInterval(5, 0.9).high, 5);
});

test("falseAlarm with the route's twelve repeats is rarer than one run in a thousand", (t) => {
  t.true(falseAlarm(300, 0.3, 12) < 1 / 1000);
  t.true(falseAlarm(300, 0.3, 9) > 1 / 1000);
  t.is(falseAlarm(300, 1, 12), 1);
});

test("percent of nothing is nothing", (t) => {
  t.is(percent(1, 0), 0);
  t.is(percent(1, 8), 12.5);
});

test("lifetimes joins looks, and counts what was away in between as two", (t) => {
  const looks = [
    { atMs: 0, keys: ["a", "b"] },
    { atMs: 1000, keys: ["a"] },
    { atMs: 2000, keys: ["a", "b"] },
    { atMs: 3000, keys: ["b"] },
  ];
  t.deepEqual(
    lifetimes(looks).map(({ key, firstSeenMs, lastSeenMs }) => [key, lastSeenMs - firstSeenMs]),
    [
      ["a", 2000],
      ["b", 1000],
      ["b", 0],
    ],
  );
  t.deepEqual(lifetimes([]), []);
});

test("endOfConnection is the earlier end of what both ends had by then", (t) => {
  const first = { issuedAt: 0, notAfter: 30_000 };
  const second = { issuedAt: 10_000, notAfter: 40_000 };
  const other = { issuedAt: 4_000, notAfter: 34_000 };
  t.is(endOfConnection([[first, second], [other]], 5_000), 30_000);
  t.is(endOfConnection([[second, first], [other]], 11_000), 34_000);
  t.is(endOfConnection([[first, second], [other]], 8_500), 34_000, "it may be the one just issued");
  t.is(endOfConnection([[first], [other]], 1_000), null);
  t.is(endOfConnection([[first], []], 9_000), null);
  t.is(endOfConnection([], 9_000), null);
});

const table = `  sl  local_address rem_address   st tx_queue
   0: 00000000:0FA0 00000000:0000 0A 00000000:00000000
   1: 0201 4D0A:C350 03014D0A:1F90 01 00000000:00000000
   2: 02014D0A:C351 03014D0A:1F90 01 00000000:00000000
   3: 02014D0A:C352 03014D0A:1F90 06 00000000:00000000
   4: 02014D0A:C353 04014D0A:1F90 01 00000000:00000000
   5: 0000000000000000FFFF000002014D0A:C354 0000000000000000FFFF000003014D0A:1F90 01 0:0
`;

test("establishedTo reads the kernel's table: established, to that address, IPv4 mapped too", (t) => {
  t.deepEqual(establishedTo(table, "10.77.1.3"), ["50001>8080", "50004>8080"]);
  t.deepEqual(establishedTo(table, "10.77.1.9"), []);
  t.deepEqual(establishedTo("", "10.77.1.3"), []);
});
