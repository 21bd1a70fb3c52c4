import test from "ava";
import { ProxyMetrics } from "./metrics.ts";
import type { RequestLabels } from "./metrics.ts";

const labels: RequestLabels = {
  direction: "outbound",
  source: "spiffe://cluster.local/ns/a/sa/a",
  destination: "spiffe://cluster.local/ns/b/sa/b",
  service: "b/b",
  backend: "b/b:80",
};

const series = (metrics: ProxyMetrics, name: string): readonly string[] =>
  metrics.registry
    .expose()
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`));

test("request cells count one request in each family", (t) => {
  const metrics = new ProxyMetrics();
  const cells = metrics.requestCells(labels);
  cells.record(200, 0.0004, 10, 300);
  cells.record(200, 0.002, 0, 0);
  cells.record(503, 1, 0, 0);
  const responses = series(metrics, "signet_proxy_responses_total");
  t.is(responses.length, 2);
  t.regex(responses[0]!, /service="b\/b",backend="b\/b:80",status="200"\} 2$/);
  t.regex(responses[1]!, /status="503"\} 1$/);
  const bucket = /status="200",le="0\.0005"\} 1$/m;
  t.regex(metrics.registry.expose(), bucket);
  t.regex(series(metrics, "signet_proxy_request_bytes_sum")[0]!, /\} 10$/);
  t.regex(series(metrics, "signet_proxy_response_bytes_count")[0]!, /\} 3$/);
});

test("request cells of one set of labels share their series", (t) => {
  const metrics = new ProxyMetrics();
  metrics.requestCells(labels).record(200, 0.1, 0, 0);
  metrics.requestCells({ ...labels }).record(200, 0.1, 0, 0);
  t.deepEqual(
    series(metrics, "signet_proxy_responses_total").map((line) => line.split(" ").at(-1)),
    ["2"],
  );
});

test("request cells call a caller that went away cancelled", (t) => {
  const metrics = new ProxyMetrics();
  metrics.requestCells(labels).record(0, 0.1, 0, 0);
  t.regex(series(metrics, "signet_proxy_responses_total")[0]!, /status="cancelled"\} 1$/);
});

test("attack-26 no family is labelled by anything that a request says", (t) => {
  const names = new Set<string>();
  const metrics = new ProxyMetrics();
  metrics.requestCells(labels).record(200, 0.1, 0, 0);
  for (const match of metrics.registry.expose().matchAll(/([a-z_]+)="/g)) names.add(match[1]!);
  t.deepEqual([...names].toSorted(), [
    "backend",
    "destination",
    "direction",
    "le",
    "service",
    "source",
    "status",
  ]);
});

test("attack-26 a thousand statuses of a peer stay within the family's bound", (t) => {
  const metrics = new ProxyMetrics();
  const cells = metrics.requestCells(labels);
  const others = metrics.requestCells({ ...labels, source: "spiffe://cluster.local/ns/c/sa/c" });
  for (let status = 100; status < 1000; status += 1) {
    cells.record(status, 0.1, 0, 0);
    others.record(status, 0.1, 0, 0);
  }
  t.true(series(metrics, "signet_proxy_responses_total").length <= 1001);
});

test("metrics every name is the mesh's, with a unit or total, and says what it counts", (t) => {
  for (const { name, type, help } of new ProxyMetrics().registry.describe()) {
    t.regex(name, /^signet_proxy_[a-z_]+$/);
    t.regex(help, /^[A-Z0-9].{10,}[^.]$/);
    if (type === "counter") t.true(name.endsWith("_total"), name);
    else t.regex(name, /_(?:seconds|bytes|open|connected|overloaded|ratio|workers)$/);
  }
});
