import test from "ava";
import { readPhases } from "./phases.ts";
import type { Phase } from "./phases.ts";

const start = Date.parse("2026-01-01T00:00:00.000Z");
const line = (ms: number, msg: string): string =>
  JSON.stringify({ level: 30, time: new Date(start + ms).toISOString(), msg });
const phases: readonly Phase[] = [
  { metric: "issue_ms", endsWith: "certificate issued" },
  { metric: "discovery_ms", endsWith: null },
];

test("readPhases cuts the start at the messages, and adds up to the whole", (t) => {
  const log = [line(300, "started"), line(380, "certificate issued"), "not JSON", ""].join("\n");
  const found = readPhases(log, phases, start + 310, start + 400);
  t.deepEqual(found, [
    { metric: "issue_ms", ms: 70 },
    { metric: "discovery_ms", ms: 20 },
  ]);
});

test("readPhases takes the first of several, and whole messages only", (t) => {
  const said = ["no certificate issued", "certificate issued", "certificate issued"];
  const log = said.map((msg, index) => line(1 + index * 4, msg)).join("\n");
  t.is(readPhases(log, phases.slice(0, 1), start, start)[0]?.ms, 5);
});

test("readPhases makes nothing up when a message is missing", (t) => {
  const found = readPhases(line(5, "started"), phases, start, start + 400);
  t.deepEqual(
    found.map(({ ms }) => ms),
    [Number.NaN, Number.NaN],
  );
});
