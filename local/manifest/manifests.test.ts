import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import * as fc from "fast-check";
import { documentsMax, fileBytesMax, parseManifest, readManifests } from "./manifests.ts";
import { LocalError } from "../objects.ts";

const namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";

function folder(t: { teardown(fn: () => void): void }, files: Record<string, string>): string {
  const made = mkdtempSync(path.join(tmpdir(), "manifests-"));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(made, name), text);
  return made;
}

test("readManifests reads the demo without a fault or a warning", (t) => {
  const { objects, warnings } = readManifests("k8s/demo");
  t.deepEqual(warnings, []);
  const kinds = new Set(objects.map(({ kind }) => kind));
  t.deepEqual([...kinds].toSorted(), [
    "Deployment",
    "HTTPRoute",
    "Namespace",
    "PeerAuthentication",
    "Service",
    "ServiceAccount",
  ]);
});

test("readManifests takes a folder's YAML in order of names and nothing else", (t) => {
  const at = folder(t, {
    "b.yml": namespace.replace("shop", "second"),
    "a.yaml": namespace,
    "notes.txt": "kind: nonsense",
  });
  t.deepEqual(
    readManifests(at).objects.map(({ metadata }) => metadata.name),
    ["shop", "second"],
  );
});

test("parseManifest reads several documents, comments and empty ones", (t) => {
  const text = `# nothing yet\n---\n${namespace}---\n---\n{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}}\n`;
  const { objects } = parseManifest(text, "x");
  t.deepEqual(
    objects.map(({ kind }) => kind),
    ["Namespace", "ServiceAccount"],
  );
  t.is(objects[1]?.metadata.namespace, "default");
  t.is(objects[0]?.metadata.namespace, undefined);
});

test("parseManifest passes over what is for kubectl alone", (t) => {
  const text = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a]\n";
  t.deepEqual(parseManifest(text, "x").objects, []);
});

const bad: readonly (readonly [string, string, RegExp])[] = [
  ["a tab", "kind: Pod\n\tmetadata: 1\n", /"x" line 2: /],
  ["an open bracket", "kind: Pod\nmetadata: {name: a\n", /"x" line [23]: /],
  ["a key twice", "kind: Pod\nkind: Service\n", /"x" line 2: Map keys must be unique/],
  ["a list", "- 1\n", /"x" line 1: is not an object/],
  ["a text", "hello\n", /"x" line 1: is not an object/],
  ["no kind", "apiVersion: v1\nmetadata: {name: a}\n", /"x" line 1: kind is missing/],
  [
    "a foreign kind",
    "apiVersion: v1\nkind: Ingress\nmetadata: {name: a}\n",
    /line 2: kind is "Ingr/,
  ],
  [
    "a kind of every object",
    "apiVersion: v1\nkind: toString\nmetadata: {}\n",
    /kind is "toString"/,
  ],
  ["an unknown tag", "kind: !secret Pod\n", /line 1: Unresolved tag/],
  ["no metadata", "apiVersion: v1\nkind: Namespace\n", /line 1: metadata is missing/],
  [
    "no name",
    "apiVersion: v1\nkind: Namespace\nmetadata: {}\n",
    /line 3: metadata.name is missing/,
  ],
  ["a name with a slash", namespace.replace("shop", "a/b"), /line 3: metadata.name is "a\/b"/],
  ["a name in capitals", namespace.replace("shop", "Shop"), /metadata.name is "Shop"/],
  ["a name that climbs", namespace.replace("shop", "../x"), /metadata.name is "..\/x"/],
  ["a number as name", namespace.replace("shop", "1"), /metadata.name is the number 1/],
  ["a misspelt field", `${namespace}specs: {}\n`, /line 4: specs is not understood here/],
];

for (const [what, text, message] of bad) {
  test(`parseManifest refuses ${what} with its line`, (t) => {
    const error = t.throws(() => parseManifest(text, "x"), { instanceOf: LocalError });
    t.is(error?.code, "manifest_invalid");
    t.regex(error?.message ?? "", message);
    t.true((error?.next ?? "").length > 0);
  });
}

test("parseManifest tells every fault of a text at once, each with its own line", (t) => {
  const text = `${namespace}one: 1\n---\n${namespace}two: 2\n`;
  const error = t.throws(() => parseManifest(text, "x"), { instanceOf: LocalError });
  t.is(
    error?.message,
    'Cannot apply "x": "x" line 4: one is not understood here; "x" line 9: two is not understood here',
  );
});

test("attack-25 parseManifest refuses aliases that multiply", (t) => {
  const rows = ["a: &a [x, x, x, x, x, x, x, x, x]"];
  for (let index = 1; index < 9; index += 1) {
    const [name, before] = ["abcdefghi"[index], "abcdefghi"[index - 1]];
    rows.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(", ")}]`);
  }
  const error = t.throws(() => parseManifest(rows.join("\n"), "x"), { instanceOf: LocalError });
  t.regex(error?.message ?? "", /alias/);
});

test("attack-25 parseManifest refuses more documents than its limit", (t) => {
  const text = Array.from({ length: documentsMax + 1 }, () => "a: 1\n").join("---\n");
  t.throws(() => parseManifest(text, "x"), {
    message: `Cannot read "x": over ${documentsMax} documents`,
  });
});

for (const [what, text] of [
  ["lists", "[".repeat(50_000)],
  ["lists that are closed", `${"[".repeat(50_000)}${"]".repeat(50_000)}`],
  ["objects", "{a: ".repeat(50_000)],
  ["dashes", "- ".repeat(50_000)],
  ["indentations", Array.from({ length: 1300 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n")],
] as const) {
  test(`attack-25 parseManifest refuses ${what} nested without end, and lives`, (t) => {
    t.throws(() => parseManifest(text, "x"), { instanceOf: LocalError, code: "manifest_invalid" });
    t.is(parseManifest(namespace, "x").objects.length, 1);
  });
}

test("attack-25 readManifests refuses a file over its limit, no file, an empty folder and an object twice", (t) => {
  const large = folder(t, { "a.yaml": "#".repeat(fileBytesMax + 1) });
  t.throws(() => readManifests(large), { message: /more than 1048576 bytes/ });
  t.throws(() => readManifests("/nowhere/at/all"), { message: /no such file or folder/ });
  t.throws(() => readManifests(folder(t, {})), { message: /there is no .yaml in it/ });
  const twice = folder(t, { "a.yaml": namespace, "b.yaml": namespace });
  t.throws(() => readManifests(twice), { message: /"Namespace\/\/shop" is in it twice/ });
});

test("parseManifest property: throws nothing but LocalError", (t) => {
  const numRuns = Number(process.env["FUZZ_RUNS"] ?? 200);
  const fragment = fc.oneof(
    fc.string(),
    fc.constantFrom(
      "kind: Pod\n",
      "---\n",
      "- ",
      "metadata:\n  name: a\n",
      "&a ",
      "*a",
      "spec:\n  ",
      "{",
      "]",
    ),
  );
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 12 }), (parts) => {
      try {
        parseManifest(parts.join(""), "x");
      } catch (error) {
        if (!(error instanceof LocalError)) throw error;
      }
    }),
    { numRuns },
  );
  t.pass();
});

test("attack-25 parseManifest looks up the places of told faults alone: 20,000 take seconds, not minutes", (t) => {
  const entries = Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join(", ");
  const text = `{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {${entries}}}`;
  const started = process.cpuUsage();
  const error = t.throws(() => parseManifest(text, "input"), { instanceOf: LocalError });
  t.regex(error.message, /and 19992 more/);
  // Not by the clock: on a machine with other work that tells how much of it there is.
  const { user, system } = process.cpuUsage(started);
  t.true(user + system < 10_000_000);
});
