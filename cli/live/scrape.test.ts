import * as fc from "fast-check";
import test from "ava";
import { Registry } from "#/lib/metrics.ts";
import { ScrapeError, parseExposition } from "./scrape.ts";
import { growth, indexSamples, quantile, sumBy, total } from "./series.ts";

test("parseExposition reads what our own registry writes", (t) => {
  const registry = new Registry();
  registry.counter("calls_total", "Calls", ["who"]).with('a "quoted" \\ name\n').add(3);
  registry.gauge("open", "Open").with().set(2);
  registry.histogram("seconds", "Seconds", ["who"], [0.1, 1]).with("b").observe(0.5);
  const samples = parseExposition(registry.expose());
  t.deepEqual(
    samples.map(({ name, labels, value }) => [name, { ...labels }, value]),
    [
      ["calls_total", { who: 'a "quoted" \\ name\n' }, 3],
      ["open", {}, 2],
      ["seconds_bucket", { who: "b", le: "0.1" }, 0],
      ["seconds_bucket", { who: "b", le: "1" }, 1],
      ["seconds_bucket", { who: "b", le: "+Inf" }, 1],
      ["seconds_sum", { who: "b" }, 0.5],
      ["seconds_count", { who: "b" }, 1],
    ],
  );
});

for (const [line, value] of [
  ["x 1", 1],
  ["x{} 1.5e-3", 0.0015],
  ['x{a="b",} -2', -2],
  ['x{ a="b" , c="d" } 1 1700000000000', 1],
  ["x +Inf", Infinity],
  ["x -Inf", -Infinity],
  ["x .5", 0.5],
] as const) {
  test(`parseExposition reads ${line}`, (t) => t.is(parseExposition(line)[0]?.value, value));
}

test("parseExposition passes over comments and empty lines, and keeps NaN", (t) => {
  t.is(parseExposition("# HELP x y\n\n# any words\nx NaN\n").length, 1);
  t.true(Number.isNaN(parseExposition("x NaN")[0]?.value));
});

test("parseExposition keeps labels with names of object members", (t) => {
  const [sample] = parseExposition('x{__proto__="a",constructor="b"} 1');
  t.is(sample?.labels["__proto__"], "a");
  t.is(sample?.labels["constructor"], "b");
});

for (const text of [
  "1x 1",
  "x",
  "x one",
  "x 1 2 3",
  "x 1 then",
  'x{a="b" 1',
  "x{a=b} 1",
  'x{="b"} 1',
  'x{a="b',
  'x{a="\\q"} 1',
  "x 0x10",
  `x${"y".repeat(20_000)} 1`,
  "x 1\n".repeat(50_001),
]) {
  test(`parseExposition refuses ${JSON.stringify(text.slice(0, 30))}`, (t) => {
    t.throws(() => parseExposition(text), { instanceOf: ScrapeError });
  });
}

test("property: parseExposition throws nothing but ScrapeError", (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      try {
        parseExposition(text);
        return true;
      } catch (error) {
        return error instanceof ScrapeError;
      }
    }),
  );
  t.pass();
});

const scraped = (text: string) => indexSamples(parseExposition(text));

test("growth is the difference, and all of a counter that began anew", (t) => {
  const before = scraped('c{a="1"} 5\nc{a="2"} 9\nc{a="3"} 4');
  const after = scraped('c{a="1"} 8\nc{a="2"} 2\nc{a="3"} 4\nc{a="4"} 1\nother 7');
  t.deepEqual(
    growth("c", before, after).map(({ labels, value }) => [labels["a"], value]),
    [
      ["1", 3],
      ["2", 2],
      ["4", 1],
    ],
  );
  t.is(total(growth("c", null, after)), 15);
});

test("indexSamples tells series apart by all their labels, in any order", (t) => {
  const before = scraped('c{a="1",b="2"} 5');
  t.is(total(growth("c", before, scraped('c{b="2",a="1"} 7'))), 2);
});

test("sumBy sums by what the key makes of labels, biggest first", (t) => {
  const samples = parseExposition('c{v="1",x="a"} 1\nc{v="2",x="a"} 5\nc{v="1",x="b"} 2');
  t.deepEqual(
    [...sumBy(samples, (labels) => labels["v"] ?? "")],
    [
      ["2", 5],
      ["1", 3],
    ],
  );
});

const buckets = parseExposition(
  'h_bucket{le="0.1"} 50\nh_bucket{le="1"} 99\nh_bucket{le="+Inf"} 100',
);

for (const [share, expected] of [
  [0.25, 0.05],
  [0.5, 0.1],
  [0.99, 1],
  [0.999, 1],
] as const) {
  test(`quantile ${share} of spread buckets`, (t) => {
    t.true(Math.abs((quantile(buckets, share) ?? -1) - expected) < 1e-9);
  });
}

test("quantile adds up series and knows nothing of nothing", (t) => {
  t.is(quantile([], 0.5), null);
  t.is(quantile(parseExposition('h_bucket{le="+Inf"} 0'), 0.5), null);
  const two = parseExposition(
    'h_bucket{v="1",le="1"} 0\nh_bucket{v="1",le="+Inf"} 0\nh_bucket{v="2",le="1"} 4\nh_bucket{v="2",le="+Inf"} 4',
  );
  t.is(quantile(two, 0.5), 0.5);
});
