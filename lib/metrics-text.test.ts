import test from "ava";
import { exposeReading, mergeReadings, withoutGauges } from "./metrics-text.ts";
import { Registry } from "./metrics.ts";

function registry(count: number): Registry {
  const it = new Registry();
  const requests = it.counter("requests_total", "Requests", ["status"]);
  requests.with("200").add(count);
  if (count > 2) requests.with("503").add();
  it.gauge("open", "Open").with().set(count);
  it.gauge("lag", "Lag", [], "max").with().set(count);
  const seconds = it.histogram("seconds", "Time", [], [1, 5]);
  seconds.with().observe(count);
  return it;
}

test("mergeReadings adds counters and histograms, and gauges as each says", (t) => {
  const text = exposeReading(mergeReadings([registry(2).read(), registry(3).read()]));
  t.is(
    text,
    `# HELP requests_total Requests
# TYPE requests_total counter
requests_total{status="200"} 5
requests_total{status="503"} 1
# HELP open Open
# TYPE open gauge
open 5
# HELP lag Lag
# TYPE lag gauge
lag 3
# HELP seconds Time
# TYPE seconds histogram
seconds_bucket{le="1"} 0
seconds_bucket{le="5"} 2
seconds_bucket{le="+Inf"} 2
seconds_sum 5
seconds_count 2
`,
  );
});

test("mergeReadings of one is what it was, and changes nothing that it was given", (t) => {
  const [one, other] = [registry(2).read(), registry(9).read()];
  const before = structuredClone(one);
  mergeReadings([one, other]);
  t.deepEqual(one, before);
  t.is(exposeReading(mergeReadings([one])), registry(2).expose());
  t.is(exposeReading(structuredClone(one)), registry(2).expose());
});

test("withoutGauges keeps what outlives its thread", (t) => {
  t.deepEqual(
    withoutGauges(registry(2).read()).map(({ name }) => name),
    ["requests_total", "seconds"],
  );
});
