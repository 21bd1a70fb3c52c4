import test from "ava";
import { Tally, summaryText } from "./summary.ts";

function sample(endMs: number): { dueMs: number; endMs: number; bytes: number } {
  return { dueMs: 0, endMs, bytes: 10 };
}

test("Tally counts statuses, versions, servers and errors", (t) => {
  const tally = new Tally();
  const answer = { server: "signet", body: "Hello! Hostname: x Version: 1.0" };
  tally.answered(sample(1), { status: 200, ...answer });
  tally.answered(sample(2), { status: 500, server: null, body: "no" });
  tally.answered(sample(3), { status: 200, ...answer, body: "Version: 2.0" });
  tally.errored(4, "ECONNRESET");
  t.like(tally.summary("http://x/", 1000, 2), {
    requests: 4,
    ok: 2,
    failed: 2,
    statuses: { 200: 2, 500: 1 },
    versions: { "1.0": 1, "2.0": 1 },
    servers: { signet: 2, none: 1 },
    errors: { ECONNRESET: 1 },
    bytes: 30,
    connections: 2,
    requestsPerS: 4,
    firstOkMs: 1,
    lastOkMs: 3,
    firstFailedMs: 2,
    lastFailedMs: 4,
  });
});

test("Tally takes quantiles by rank, from the time a request was due", (t) => {
  const tally = new Tally();
  for (let index = 100; index >= 1; index -= 1) {
    tally.answered(
      { dueMs: 5, endMs: 5 + index, bytes: 0 },
      { status: 200, server: null, body: "" },
    );
  }
  const { latencyMs } = tally.summary("http://x/", 1, 1);
  t.deepEqual(latencyMs, { mean: 50.5, p50: 50, p90: 90, p99: 99, max: 100 });
});

test("Tally of nothing has no latency and says so to people", (t) => {
  const summary = new Tally().summary("http://x/", 0, 0);
  t.is(summary.latencyMs, null);
  t.is(summary.requestsPerS, 0);
  t.regex(summaryText(summary), /latency {6}none/);
});

test("Tally stops telling apart what a peer makes up", (t) => {
  const tally = new Tally();
  for (let index = 0; index < 1000; index += 1) {
    tally.answered(sample(1), { status: 200, server: `s${index}`, body: "" });
  }
  const { servers } = tally.summary("http://x/", 1, 1);
  t.is(Object.keys(servers).length, 65);
  t.is(servers["other"], 936);
});
