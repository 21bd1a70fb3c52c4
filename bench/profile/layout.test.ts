import test from "ava";
import { foldProfile } from "./fold.ts";
import type { CpuProfile, Frame } from "./fold.ts";
import { layOut } from "./layout.ts";
import { fit, renderSvg } from "./svg.ts";

const frame = (functionName: string, url = "", lineNumber = -1) => ({
  functionName,
  url,
  lineNumber,
});

/** root -> (a -> b, b), idle; a sample each 100 us from 1000 us on. */
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame("(root)"), children: [2, 4, 5] },
    { id: 2, callFrame: frame("a", "file:///signet/proxy/a.ts", 9), children: [3] },
    { id: 3, callFrame: frame("", "node:net", 0) },
    { id: 4, callFrame: frame("(idle)") },
    { id: 5, callFrame: frame("(garbage collector)") },
  ],
  startTime: 900,
  samples: [2, 3, 3, 4, 4, 5, 2],
  timeDeltas: [100, 100, 100, 100, 100, 100, 100],
};
const always = { fromUs: 0, toUs: Infinity };

test("foldProfile adds up calls by place, without idle time, the longest first", (t) => {
  t.deepEqual(foldProfile(profile, always, "/signet"), {
    name: "all",
    selfUs: 0,
    totalUs: 500,
    children: [
      {
        name: "a proxy/a.ts:10",
        selfUs: 200,
        totalUs: 400,
        children: [{ name: "(anonymous) node:net:1", selfUs: 200, totalUs: 200, children: [] }],
      },
      { name: "(garbage collector)", selfUs: 100, totalUs: 100, children: [] },
    ],
  });
});

test("foldProfile keeps to its window, both ends in it", (t) => {
  const { totalUs, children } = foldProfile(profile, { fromUs: 1100, toUs: 1500 }, "/signet");
  t.is(totalUs, 300);
  t.deepEqual(
    children.map(({ name }) => name),
    ["a proxy/a.ts:10", "(garbage collector)"],
  );
  t.is(foldProfile(profile, { fromUs: 5000, toUs: 6000 }, "").totalUs, 0);
});

test("foldProfile takes a clock that goes back for no time at all", (t) => {
  const odd = { ...profile, samples: [2, 2], timeDeltas: [100, -50] };
  t.is(foldProfile(odd, always, "").totalUs, 100);
});

test("foldProfile of a process that did nothing is empty", (t) => {
  t.is(foldProfile({ ...profile, samples: [], timeDeltas: [] }, always, "").totalUs, 0);
  t.is(
    foldProfile({ nodes: [], startTime: 0, samples: [1], timeDeltas: [1] }, always, "").totalUs,
    1,
  );
});

const leaf = (name: string, totalUs: number): Frame => ({
  name,
  selfUs: totalUs,
  totalUs,
  children: [],
});

test("layOut puts children side by side above their caller, and leaves its own time free at the right", (t) => {
  const root: Frame = {
    name: "all",
    selfUs: 20,
    totalUs: 100,
    children: [leaf("a", 50), leaf("b", 30)],
  };
  const boxes = layOut(root, 0);
  const places = boxes.map(({ name, x, width, depth }) => [name, x, width, depth]);
  t.deepEqual(places, [
    ["all", 0, 1, 0],
    ["b", 0.5, 0.3, 1],
    ["a", 0, 0.5, 1],
  ]);
  for (const { x, width } of boxes) t.true(x >= 0 && x + width <= 1);
});

test("layOut leaves out what is too narrow to be seen, with all above it", (t) => {
  const narrow: Frame = { name: "narrow", selfUs: 0, totalUs: 1, children: [leaf("above", 1)] };
  const root: Frame = { name: "all", selfUs: 0, totalUs: 1000, children: [leaf("a", 999), narrow] };
  t.deepEqual(
    layOut(root, 0.01).map(({ name }) => name),
    ["all", "a"],
  );
  t.deepEqual(layOut(leaf("all", 0), 0), []);
});

test("renderSvg is one well-formed file whatever functions are called", (t) => {
  const root: Frame = { name: "all", selfUs: 0, totalUs: 10, children: [leaf('<a "b" & c>', 10)] };
  const svg = renderSvg(layOut(root, 0), { title: "a < b", subtitle: "c & d" });
  t.true(svg.includes("&lt;a &quot;b&quot; &amp; c&gt;"));
  t.false(/<a "b"|a < b|c & d/.test(svg));
  t.is(svg.match(/<g /g)?.length, svg.match(/<\/g>/g)?.length);
  // Nothing is fetched from anywhere.
  t.deepEqual(svg.match(/https?:\/\/[^"]+/g), ["http://www.w3.org/2000/svg"]);
});

test("fit cuts a name rather than let it out of its box", (t) => {
  t.is(fit("abcdef", 1000), "abcdef");
  t.is(fit("abcdefghij", 6 + 7 * 5), "abc..");
  t.is(fit("abcdef", 20), "");
});
