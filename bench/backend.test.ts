import test from "ava";
import { backendConfig, files, greeting } from "./backend.ts";

test("backend answers are as long as the works say", (t) => {
  t.is(greeting.length, 54);
  const lengths = files.map(({ name, text }) => [name, text.length]);
  t.deepEqual(lengths, [
    ["16k", 16 * 1024],
    ["1m", 1024 * 1024],
  ]);
});

test("backendConfig adds eight response headers, exactly one of them varying", (t) => {
  const names = [...backendConfig("/run").matchAll(/add_header (\S+) "([^"]*)";/g)];
  t.is(names.length, 8);
  t.deepEqual(
    names.filter(([, , value]) => value!.includes("$")).map(([, name]) => name),
    ["X-Response-Id"],
  );
});

test("backendConfig writes nowhere but into its folder", (t) => {
  const paths = [...backendConfig("/folder").matchAll(/ (\/\S+?)[; ]/g)].map((match) => match[1]!);
  const written = paths.filter(
    (path) => !["/hello", "/headers", "/16k", "/1m", "/upload"].includes(path),
  );
  t.true(written.length > 5);
  t.deepEqual(
    written.filter((path) => !path.startsWith("/folder")),
    [],
  );
});
