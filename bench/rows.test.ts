import test from "ava";
import { buildRows, renderWork } from "./rows.ts";
import type { Metric, Row, Sample } from "./rows.ts";

function samples(subject: string, metric: Metric, ...values: number[]): Sample[] {
  return values.map((value) => ({ subject, metric, value }));
}

function rowOf(rows: readonly Row[], subject: string, metric: Metric): Row | undefined {
  return rows.find((row) => row.subject === subject && row.metric === metric);
}

test("buildRows takes the median and keeps the spread", (t) => {
  t.deepEqual(buildRows("proxy", "w", samples("signet", "cpu_us", 30, 10, 20)), [
    {
      suite: "proxy",
      work: "w",
      subject: "signet",
      metric: "cpu_us",
      unit: "us",
      value: 20,
      ratioToEnvoy: null,
      ratioToStepCa: null,
      min: 10,
      max: 30,
      rounds: 3,
    },
  ]);
});

test("buildRows compares a cost with the cheaper of Envoy's configurations", (t) => {
  const rows = buildRows("proxy", "w", [
    ...samples("envoy-http1", "cpu_us", 80),
    ...samples("signet", "cpu_us", 40),
    ...samples("envoy-http2", "cpu_us", 50),
  ]);
  t.is(rowOf(rows, "signet", "cpu_us")?.ratioToEnvoy, 0.8);
  t.is(rowOf(rows, "envoy-http2", "cpu_us")?.ratioToEnvoy, 1);
  t.is(rowOf(rows, "envoy-http1", "cpu_us")?.ratioToEnvoy, 1.6);
});

test("buildRows compares issuing with the cheaper of step-ca's configurations", (t) => {
  const rows = buildRows("ca", "w", [
    ...samples("step-ca", "cpu_us", 800),
    ...samples("step-ca-bbolt", "cpu_us", 1600),
    ...samples("signet", "cpu_us", 400),
  ]);
  t.is(rowOf(rows, "signet", "cpu_us")?.ratioToStepCa, 0.5);
  t.is(rowOf(rows, "step-ca-bbolt", "cpu_us")?.ratioToStepCa, 2);
  t.is(rowOf(rows, "signet", "cpu_us")?.ratioToEnvoy, null);
  t.regex(renderWork(rows), /^signet\s+400 x0\.50$/m);
});

test("buildRows compares throughput with the faster of Envoy's configurations", (t) => {
  const rows = buildRows("proxy", "w", [
    ...samples("envoy-http1", "rps", 10_000),
    ...samples("envoy-http2", "rps", 20_000),
    ...samples("signet", "rps", 30_000),
  ]);
  t.is(rowOf(rows, "signet", "rps")?.ratioToEnvoy, 1.5);
});

test("buildRows keeps the losing ratios", (t) => {
  const rows = buildRows("proxy", "w", [
    ...samples("envoy", "cpu_us", 20),
    ...samples("signet", "cpu_us", 50),
  ]);
  t.is(rowOf(rows, "signet", "cpu_us")?.ratioToEnvoy, 2.5);
});

const hasNoRatio = test.macro({
  exec(t, given: readonly Sample[]) {
    const row = rowOf(buildRows("proxy", "w", given), "signet", given[0]!.metric);
    t.is(row?.ratioToEnvoy, null);
  },
  title: (name) => `buildRows gives no ratio ${name}`,
});

test("without an Envoy", hasNoRatio, samples("signet", "cpu_us", 5));
test("to an Envoy of zero", hasNoRatio, [
  ...samples("signet", "cpu_us", 5),
  ...samples("envoy", "cpu_us", 0),
]);
test("to a subject whose name only begins like Envoy", hasNoRatio, [
  ...samples("signet", "cpu_us", 5),
  ...samples("envoyish", "cpu_us", 5),
]);
test("for errors", hasNoRatio, [
  ...samples("signet", "errors", 5),
  ...samples("envoy", "errors", 5),
]);

test("buildRows never averages errors away", (t) => {
  const rows = buildRows("proxy", "w", samples("signet", "errors", 0, 7, 0));
  t.is(rowOf(rows, "signet", "errors")?.value, 7);
});

test("renderWork shows median, spread and ratio, and a dash where there is nothing", (t) => {
  const rows = buildRows("proxy", "w", [
    ...samples("signet", "cpu_us", 10, 20, 30),
    ...samples("envoy", "cpu_us", 40, 40, 40),
    ...samples("envoy", "rps", 1000),
  ]);
  const lines = renderWork(rows).split("\n");
  t.regex(lines[1]!, /^signet +20 \(10-30\) x0\.50 +-$/);
  t.regex(lines[2]!, /^envoy +40 \(40-40\) x1\.00 +1000 x1\.00$/);
});

test("renderWork shows errors only when there are some", (t) => {
  t.notRegex(renderWork(buildRows("proxy", "w", samples("a", "errors", 0))), /errors/);
  t.regex(renderWork(buildRows("proxy", "w", samples("a", "errors", 0, 3))), /errors[^]*\b3\b/);
});
