import test from "ava";
import type { Found, Step } from "./trust-bundle.ts";
import { stepsTo } from "./trust-bundle.ts";

const texts = { bundle: "roots", links: "", authority: "a" };
const ours = (bundle = texts.bundle, version = "7"): Found => ({
  texts: { ...texts, bundle },
  isOurs: true,
  version,
});
const put = (namespace: string): Step => ({ kind: "put", namespace, texts });
const remove = (namespace: string): Step => ({ kind: "remove", namespace, version: "7" });

const steps = (
  labelled: readonly string[],
  inNeed: readonly string[] | null,
  found: Readonly<Record<string, Found>>,
): readonly Step[] =>
  stepsTo(
    { texts: () => texts, inNeed: () => (inNeed === null ? null : new Set(inNeed)) },
    new Set(labelled),
    new Map(Object.entries(found)),
  );

const cases: readonly [title: string, given: Parameters<typeof steps>, wanted: readonly Step[]][] =
  [
    ["publishes where the label is", [["a"], [], {}], [put("a")]],
    ["publishes where a pod is in need", [[], ["b"], {}], [put("b")]],
    ["publishes once where both are", [["a"], ["a"], {}], [put("a")]],
    ["puts back what was edited", [["a"], [], { a: ours("other") }], [put("a")]],
    [
      "puts back links",
      [["a"], [], { a: { ...ours(), texts: { ...texts, links: "x" } } }],
      [put("a")],
    ],
    ["leaves alone what is right", [["a"], ["b"], { a: ours(), b: ours() }], []],
    ["takes away what nobody needs", [["a"], [], { a: ours(), b: ours() }], [remove("b")]],
    ["takes away an edited one, too", [[], [], { b: ours("other") }], [remove("b")]],
    ["takes nothing from a pod in need", [[], ["b"], { b: ours() }], []],
    ["takes nothing while not all pods are known", [[], null, { b: ours() }], []],
    ["publishes while not all pods are known", [["a"], null, {}], [put("a")]],
    ["leaves somebody else's alone", [[], [], { b: { ...ours(), isOurs: false } }], []],
  ];
for (const [title, given, wanted] of cases) {
  test(`stepsTo ${title}`, (t) => {
    t.deepEqual(steps(...given), wanted);
  });
}
