// What tells one object from another.
import test from "ava";
import { MeshError } from "#/lib/errors.ts";
import { LocalError, isClusterWide, keyFor, keyOf } from "./objects.ts";

test("keyOf names kind, namespace and name", (t) => {
  t.is(keyOf({ kind: "Pod", metadata: { name: "p", namespace: "n" } }), "Pod/n/p");
  t.is(keyOf({ kind: "Pod", metadata: { name: "p" } }), "Pod//p");
});

test("keyFor leaves the namespace out where a kind has none", (t) => {
  t.is(keyFor("Namespace", "n", "x"), "Namespace//x");
  t.is(keyFor("Namespace", "", "x"), keyOf({ kind: "Namespace", metadata: { name: "x" } }));
  t.true(isClusterWide("CustomResourceDefinition"));
  t.false(isClusterWide("Pod"));
});

test("keyFor keeps namesakes of two kinds or two namespaces apart", (t) => {
  const keys = [
    keyFor("Pod", "n", "x"),
    keyFor("Service", "n", "x"),
    keyFor("Pod", "m", "x"),
    keyFor("Pod", "", "x"),
  ];
  t.is(new Set(keys).size, keys.length);
});

test("LocalError carries a code, and what to do next", (t) => {
  const error = new LocalError("not_found", "Cannot find it", { next: "Make it" });
  t.true(error instanceof MeshError);
  t.like(error, { code: "not_found", message: "Cannot find it", next: "Make it" });
});
