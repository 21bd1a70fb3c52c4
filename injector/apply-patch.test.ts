import test from "ava";
import { PatchError, applyPatch, pointerToken } from "./apply-patch.ts";
import type { PatchOperation } from "./apply-patch.ts";

const document = { list: ["a", "b"], "x/y~z": { deep: 1 }, empty: {} };

function add(path: string, value: unknown = "new"): PatchOperation {
  return { op: "add", path, value };
}

test("applyPatch adds to objects and lists and leaves the original as it was", (t) => {
  const before = structuredClone(document);
  const patch = [add("/list/0", "first"), add("/list/-", "last"), add("/empty/key", { a: 1 })];
  const result = applyPatch(document, patch);
  t.deepEqual(result.list, ["first", "a", "b", "last"]);
  t.deepEqual(result.empty, { key: { a: 1 } });
  t.deepEqual(document, before);
});

test("applyPatch decodes tokens in RFC 6901's order", (t) => {
  t.is(pointerToken("x/y~z"), "x~1y~0z");
  const patch: PatchOperation[] = [{ op: "replace", path: "/x~1y~0z/deep", value: 2 }];
  t.is(applyPatch(document, patch)["x/y~z"].deep, 2);
  t.deepEqual(applyPatch({}, [add("/~01", 1)]), { "~1": 1 } as object);
});

test("applyPatch replaces an item of a list and the whole document", (t) => {
  t.deepEqual(applyPatch(document, [{ op: "replace", path: "/list/1", value: "B" }]).list, [
    "a",
    "B",
  ]);
  t.is(applyPatch<unknown>(document, [{ op: "replace", path: "", value: 1 }]), 1);
});

for (const [operation, code] of [
  [add("no-slash"), "path_invalid"],
  [add("/bad~2escape"), "path_invalid"],
  [add("/missing/key"), "path_missing"],
  [add("/list/3"), "path_missing"],
  [add("/list/01"), "path_missing"],
  [add("/list/-1"), "path_missing"],
  [add("/list/-/x"), "path_missing"],
  [add("/list/0/x"), "path_missing"],
  [add("/list/key"), "path_missing"],
  [add("/constructor/x"), "path_missing"],
  [add("/__proto__"), "path_forbidden"],
  [add("/__proto__/polluted"), "path_forbidden"],
  [{ op: "replace", path: "/absent", value: 1 }, "path_missing"],
  [{ op: "replace", path: "/list/2", value: 1 }, "path_missing"],
  [{ op: "replace", path: "/list/-", value: 1 }, "path_missing"],
] as const) {
  test(`applyPatch refuses to ${operation.op} "${operation.path}"`, (t) => {
    const error = t.throws(() => applyPatch(document, [operation]), { instanceOf: PatchError });
    t.is(error.code, code);
  });
}
