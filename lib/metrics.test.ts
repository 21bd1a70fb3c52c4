import test from "ava";
import { Registry } from "./metrics.ts";

const lines = (registry: Registry): readonly string[] => registry.expose().split("\n");
const series = (registry: Registry): readonly string[] =>
  lines(registry).filter((line) => line !== "" && !line.startsWith("#"));

test("Registry writes counters and gauges as Prometheus reads them", (t) => {
  const registry = new Registry();
  registry.counter("requests_total", "Requests", ["code"]).with("200").add(2);
  registry.gauge("open", "Open now").with().set(3);
  t.is(
    registry.expose(),
    '# HELP requests_total Requests\n# TYPE requests_total counter\nrequests_total{code="200"} 2\n' +
      "# HELP open Open now\n# TYPE open gauge\nopen 3\n",
  );
});

test("Registry writes histograms with cumulative buckets, bounds being inclusive", (t) => {
  const registry = new Registry();
  const cell = registry.histogram("seconds", "Time", ["to"], [0.1, 1]).with("b");
  for (const value of [0.1, 0.2, 1, 5]) cell.observe(value);
  t.deepEqual(series(registry), [
    'seconds_bucket{to="b",le="0.1"} 1',
    'seconds_bucket{to="b",le="1"} 3',
    'seconds_bucket{to="b",le="+Inf"} 4',
    'seconds_sum{to="b"} 6.3',
    'seconds_count{to="b"} 4',
  ]);
});

test("Registry hands the same cell out for the same labels, and others for others", (t) => {
  const family = new Registry().counter("x_total", "X", ["a", "b"]);
  t.is(family.with("1", "2"), family.with("1", "2"));
  t.not(family.with("1", "2"), family.with("2", "1"));
  t.not(family.with("1", ""), family.with("", "1"));
});

test("Registry asks collectors before each exposition, and forgets what a gauge cleared", (t) => {
  const registry = new Registry();
  const gauge = registry.gauge("ages", "Ages", ["of"]);
  let age = 0;
  gauge.onCollect(() => {
    gauge.clear();
    age += 1;
    gauge.with(`n${age}`).set(age);
  });
  t.deepEqual(series(registry), ['ages{of="n1"} 1']);
  t.deepEqual(series(registry), ['ages{of="n2"} 2']);
});

test("Registry refuses to declare a metric twice", (t) => {
  const registry = new Registry();
  registry.counter("x_total", "X");
  t.throws(() => registry.gauge("x_total", "Y"), { message: /"x_total" is declared twice/ });
});

test("attack-26 label values cannot break out of their quotes or begin a line", (t) => {
  const registry = new Registry();
  registry.counter("x_total", "X", ["who"]).with('a"} 9\nx_total{who="\\').add();
  t.deepEqual(series(registry), [String.raw`x_total{who="a\"} 9\nx_total{who=\"\\"} 1`]);
});

test("attack-26 past a thousand series everything new is counted as other", (t) => {
  const registry = new Registry();
  const family = registry.counter("x_total", "X", ["host", "path"]);
  for (let index = 0; index < 1000; index += 1) family.with(`h${index}`, "/").add();
  t.is(series(registry).length, 1000);
  for (let index = 0; index < 5000; index += 1) family.with(`new${index}`, `/${index}`).add();
  t.is(series(registry).length, 1001);
  t.is(family.with("other", "other").value, 5000);
  family.with("h7", "/").add();
  t.is(family.with("h7", "/").value, 2, "what is known is still counted by its own name");
  t.is(family.with("h7", "other"), family.with("other", "other"));
});

test("attack-26 the bound holds for histograms, each family by itself", (t) => {
  const registry = new Registry();
  const family = registry.histogram("seconds", "Time", ["host"], [1]);
  for (let index = 0; index < 3000; index += 1) family.with(`h${index}`).observe(1);
  t.is(series(registry).filter((line) => line.startsWith("seconds_count")).length, 1001);
  registry.counter("y_total", "Y", ["host"]).with("mine").add();
  t.true(series(registry).includes('y_total{host="mine"} 1'));
});

test("attack-26 long labels are cut, and are one series when they are cut to the same", (t) => {
  const registry = new Registry();
  const family = registry.counter("x_total", "X", ["host"]);
  family.with("h".repeat(256)).add();
  family.with("h".repeat(300)).add();
  family.with(`${"h".repeat(256)}other end`).add();
  t.deepEqual(series(registry), [`x_total{host="${"h".repeat(256)}"} 3`]);
});

test("attack-48 labels named like prototype members are plain labels", (t) => {
  const registry = new Registry();
  const family = registry.counter("x_total", "X", ["host"]);
  for (const name of ["__proto__", "constructor", "toString"]) family.with(name).add();
  t.deepEqual(series(registry), [
    'x_total{host="__proto__"} 1',
    'x_total{host="constructor"} 1',
    'x_total{host="toString"} 1',
  ]);
});
