import { readFileSync } from "node:fs";
import test from "ava";
import { commandOfImage } from "#/local/pod/images.ts";
import { readEntrypoint } from "./entrypoint.ts";

const dockerfile = readFileSync("Dockerfile", "utf8");

for (const name of ["controller", "proxy", "proxy-init", "app-a", "app-b", "client"]) {
  test(`readEntrypoint finds for ${name} what runs without a cluster, too`, (t) => {
    const [hook, ...parameters] = readEntrypoint(dockerfile, name);
    // In an image the source has no types; without one it has.
    t.is(hook, "--import=./tools/stripped.mjs");
    t.deepEqual(parameters, commandOfImage(`signet/${name}`));
  });
}

test("readEntrypoint reads the injector, which runs on clusters alone", (t) => {
  const parameters = readEntrypoint(dockerfile, "injector");
  t.is(parameters.at(-1), "injector/main.ts");
  t.true(parameters.includes("--disallow-code-generation-from-strings"));
});

test("readEntrypoint refuses a target that is not there or runs nothing", (t) => {
  for (const name of ["", "prox", "runtime", "packages"]) {
    t.throws(() => readEntrypoint(dockerfile, name), { code: "target_unknown" });
  }
});
