import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { bytesOf, readVectors } from "#/test/kit/vectors.ts";
import { normalizePath } from "./path.ts";
import { refusalOf } from "./refusal.ts";

function normal(path: string): string {
  const result = normalizePath(bytesOf(path), 0, path.length);
  return typeof result === "number" ? refusalOf(result).reason : result.toString("latin1");
}

const vectors = readVectors("http1/path.json") as readonly { path: string; normal: string }[];

for (const vector of vectors) {
  test(`attack-38 path ${vector.path} becomes ${vector.normal}`, (t) => {
    t.is(normal(vector.path), vector.normal);
  });
}

const parts =
  "/ // . .. a % %2 %2e %2E %25 %32 %65 %2f %5c %00 ; %3b %41 %7e %c3 25 2e %252e ..; \u00e9";
const part = fc.constantFrom(...parts.split(" "));
const anyPath = fc.array(part, { maxLength: 12 }).map((parts) => `/${parts.join("")}`);

test("path property: what is normal stays as it is", (t) => {
  fc.assert(
    fc.property(anyPath, (path) => {
      const once = normal(path);
      if (once.startsWith("/")) t.is(normal(once), once);
    }),
    fuzzOptions(t, 3000),
  );
  t.pass();
});

test("path property: attack-38 a normal path has nothing left to decode or to climb with", (t) => {
  fc.assert(
    fc.property(anyPath, (path) => {
      const result = normal(path);
      if (!result.startsWith("/")) return;
      const decoded = decodeTwice(result);
      t.false(/\/\.{0,2}(?:;[^/]*)?\//.test(result), result);
      t.false(/\/\.{1,2}(?:;[^/]*)?$/.test(result), result);
      t.false(/[\\\0]/.test(decoded), result);
      t.false(/\/\.\.?(?:\/|$)/.test(decoded), result);
      t.is(decoded.split("/").length, result.split("/").length, result);
    }),
    fuzzOptions(t, 3000),
  );
  t.pass();
});

/** As a careless application would: escapes taken away two times. */
function decodeTwice(path: string): string {
  const decode = (text: string): string =>
    text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  return decode(decode(path));
}
