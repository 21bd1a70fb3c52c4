import test from "ava";
import { UsageError, readJob } from "./arguments.ts";
import type { Job } from "./arguments.ts";

const url = "http://app-b.app-b.svc.cluster.local./hello";

function load(...commandLine: string[]): Job & { kind: "load" } {
  const job = readJob([url, ...commandLine]);
  if (job.kind !== "load") throw new Error(job.kind);
  return job;
}

test("readJob sends one GET when nothing else is said", (t) => {
  t.like(load(), { method: "GET", count: 1, concurrency: 1, ratePerS: null, output: "text" });
  t.is(load().url.href, url);
});

test("readJob posts when there is a body and paces when there is a rate", (t) => {
  t.is(load("--body", "30").method, "POST");
  t.like(load("--rate", "0.5", "--duration", "2"), { ratePerS: 0.5, durationMs: 2000 });
  t.is(load("--rate", "10").concurrency, 64);
  t.is(load("--duration", "2").count, 1_000_000);
});

test("readJob collects headers, repeated ones too", (t) => {
  const { headers } = load(
    "-H",
    "X-A: 1",
    "--header",
    "x-a:2",
    "-H",
    "b: c: d",
    "-H",
    "__proto__: x",
  );
  t.deepEqual(Object.entries(headers), [
    ["x-a", ["1", "2"]],
    ["b", "c: d"],
    ["__proto__", "x"],
  ]);
});

test("readJob reads a raw connection with escapes", (t) => {
  const job = readJob([
    "--connect",
    "[fd77::2]:4000",
    "--send",
    "a\\r\\n\\x00\\\\n",
    "--hold",
    "0.5",
  ]);
  t.like(job, { kind: "raw", host: "fd77::2", port: 4000, send: "a\r\n\0\\n", holdMs: 500 });
});

test("readJob idles and helps", (t) => {
  t.is(readJob(["--idle"]).kind, "idle");
  t.is(readJob(["-h"]).kind, "help");
});

for (const commandLine of [
  [],
  ["--json"],
  [url, url],
  ["https://example.com/"],
  ["app-b"],
  [url, "--count", "0"],
  [url, "--count", "1.5"],
  [url, "--count", "1000001"],
  [url, "--rate", "0"],
  [url, "--rate", "fast"],
  [url, "--concurrency", "1025"],
  [url, "--header", "novalue"],
  [url, "--method", "get"],
  [url, "--unknown"],
  ["--connect", "nowhere"],
  ["--connect", "host:70000"],
  ["--connect", "fd77::2:80"],
]) {
  test(`readJob refuses "${commandLine.join(" ")}"`, (t) => {
    t.throws(() => readJob(commandLine), { instanceOf: UsageError });
  });
}
