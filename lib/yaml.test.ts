import test from "ava";
import * as fc from "fast-check";
import { parseYaml, writeYaml } from "./yaml.ts";

const text = `# of the whole
apiVersion: v1
kind: Pod # of the kind
spec:
  containers:
    # of the container
    - name: a
      args: [on, 017, "on"]
# below
---
---
{"kind": "B"}
...
# after the end
---
kind: C
`;

test("parseYaml cuts a text into documents that together are the text", (t) => {
  const documents = parseYaml(text);
  t.is(documents.map(({ source }) => source).join(""), text);
  t.deepEqual(
    documents.map((document) => (document.value() as { kind?: string } | null)?.kind ?? null),
    ["Pod", null, "B", "C"],
  );
});

for (const [written, read] of [
  ["yes", true],
  ["off", false],
  ["017", 15],
  ["1_000", 1000],
  ["12:30:45", "12:30:45"],
  ["2001-01-01", "2001-01-01"],
  ['"on"', "on"],
] as const) {
  test(`parseYaml reads ${written} as kubectl does`, (t) => {
    t.deepEqual(parseYaml(`a: ${written}\n`)[0]!.value(), { a: read });
  });
}

test("parseYaml tells the fault of a document with its line, and reads the others", (t) => {
  const [first, second] = parseYaml("a: 1\n---\nb: [\n");
  t.is(first?.fault, null);
  t.is(second?.fault?.line, 4);
});

test("lineOf is the line of a path's key, and of what it is missing from", (t) => {
  const [pod] = parseYaml(text);
  t.is(pod?.lineOf(["spec", "containers", 0, "args"]), 8);
  t.is(pod?.lineOf(["spec", "containers", 0, "image"]), 7);
  t.is(pod?.lineOf(["metadata"]), 2);
});

test("withValue keeps order, comments and layout of what does not change", (t) => {
  const [pod] = parseYaml(text);
  const value = pod!.value() as { spec: { containers: object[] } };
  const containers = [
    { name: "first", image: "on" },
    { ...value.spec.containers[0], image: "x" },
  ];
  t.is(
    pod!.withValue({ ...value, spec: { containers, hostname: "h" } }),
    `# of the whole
apiVersion: v1
kind: Pod # of the kind
spec:
  containers:
    - name: first
      image: "on"
    # of the container
    - name: a
      args: [on, 017, "on"]
      image: x
  hostname: h

# below
`,
  );
});

test("withValue takes out what the value does not have, and replaces what is another kind", (t) => {
  const [document] = parseYaml("a: 1 # one\nb: 2\nc: {d: 3}\n");
  t.is(document!.withValue({ a: 4, c: [5] }), "a: 4 # one\nc:\n  - 5\n");
});

test("withValue leaves JSON JSON, for readers that know nothing else", (t) => {
  const [, , json] = parseYaml(text);
  t.is(json!.withValue({ kind: "B", a: "on" }), '---\n{\n  "kind": "B",\n  "a": "on"\n}\n');
});

for (const after of [{ a: { n: 2 }, b: { n: 1 } }, { a: 5, b: { n: 1 } }, { b: { n: 1 } }]) {
  test(`withValue changes one place of an anchor's and not the others: ${JSON.stringify(after)}`, (t) => {
    const [document] = parseYaml("a: &x {n: 1}\nb: *x\n");
    t.deepEqual(parseYaml(document!.withValue(after))[0]!.value(), after);
  });
}

test("withValue writes a key called like the merge key as a name", (t) => {
  const value = { "<<": { a: 1 }, b: [{ "<<": "x" }] };
  const [document] = parseYaml("c: 1\n");
  t.deepEqual(parseYaml(document!.withValue(value))[0]!.value(), value);
});

test("withValue resolves a merge key of a map that changes", (t) => {
  const [document] = parseYaml("a: {<<: {x: 1}, y: 2}\nb: {<<: {x: 1}}\n");
  const value = { a: { x: 1, y: 3 }, b: { "<<": 1 } };
  t.deepEqual(parseYaml(document!.withValue(value))[0]!.value(), value);
});

test("property: what writeYaml writes reads as it was", (t) => {
  fc.assert(
    fc.property(fc.jsonValue().map(plain), (value) => {
      fc.pre(!JSON.stringify(value).includes("__proto__"));
      t.deepEqual(parseYaml(writeYaml(value))[0]!.value(), value);
    }),
  );
});

test("property: what withValue writes reads as it was", (t) => {
  const words = fc.constantFrom(
    "yes",
    "n",
    "017",
    "1e3",
    "~",
    "null",
    "12:30",
    "0x1f",
    "---",
    "",
    "<<",
  );
  const leaf = fc.oneof(words, fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie("tree")), fc.dictionary(words, tie("tree"))),
  }));
  const value = fc.dictionary(fc.string({ minLength: 1 }), tree);
  fc.assert(
    fc.property(value, value, (before, after) => {
      // A key of this name is set, not made, by any parser.
      fc.pre(!JSON.stringify([before, after]).includes("__proto__"));
      const [document] = parseYaml(parseYaml("a: 1\n")[0]!.withValue(before));
      t.deepEqual(document!.value(), plain(before));
      t.deepEqual(parseYaml(document!.withValue(after))[0]!.value(), plain(after));
    }),
  );
});

/** Without the prototypes that the generator leaves out. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
