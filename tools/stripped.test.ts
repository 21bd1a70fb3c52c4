// Source as images carry it: types taken out in place, and loaded without Node's own stripping.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";

const tools = import.meta.dirname;
const typed = `import { twice } from "./lib/twice.ts";\nconsole.log(twice(21 as number));\n`;
const twice = `export function twice(value: number): number {\n  return value * 2;\n}\n`;

function makeFolder(): { folder: string; [Symbol.dispose]: () => void } {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-stripped-"));
  mkdirSync(path.join(folder, "lib"));
  writeFileSync(path.join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(path.join(folder, "main.ts"), typed);
  writeFileSync(path.join(folder, "lib/twice.ts"), twice);
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

function run(folder: string, ...parameters: string[]): string {
  const all = ["--disable-warning=ExperimentalWarning", ...parameters];
  const { stdout, stderr } = spawnSync(process.execPath, all, { cwd: folder, encoding: "utf8" });
  return stdout + stderr;
}

const hook = `--import=${tools}/stripped.mjs`;
const strip = `${tools}/strip-types.mjs`;

test("strip-types keeps every line and column, and what it did once it does not do again", (t) => {
  using made = makeFolder();
  const file = path.join(made.folder, "lib/twice.ts");
  t.is(run(made.folder, strip, "lib"), "");
  const stripped = readFileSync(file, "utf8");
  t.true(
    stripped.startsWith("export function twice(value        )         {\n  return value * 2;\n"),
  );
  run(made.folder, strip, "lib");
  t.is(readFileSync(file, "utf8"), stripped);
});

test("strip-types follows no link out of the folder", (t) => {
  using made = makeFolder();
  using other = makeFolder();
  symlinkSync(other.folder, path.join(made.folder, "lib/link"));
  run(made.folder, strip, "lib");
  t.is(readFileSync(path.join(other.folder, "main.ts"), "utf8"), typed);
});

test("stripped loads such files where Node may not strip at all", (t) => {
  using made = makeFolder();
  run(made.folder, strip, ".");
  t.is(run(made.folder, "--no-strip-types", hook, "main.ts"), "42\n");
  t.not(run(made.folder, "--no-strip-types", "main.ts"), "42\n");
});

test("stripped leaves a file that was edited since to Node", (t) => {
  using made = makeFolder();
  run(made.folder, strip, ".");
  writeFileSync(path.join(made.folder, "lib/twice.ts"), twice.replace("* 2", "* 3"));
  t.is(run(made.folder, hook, "main.ts"), "63\n");
});
