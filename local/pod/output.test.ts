import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";
import { Output, lineCharactersMax, linesKept } from "./output.ts";

function setUp(t: ExecutionContext, bytesMax?: number): { file: string; output: Output } {
  const made = mkdtempSync(path.join(tmpdir(), "output-"));
  const file = path.join(made, "c.log");
  const output = new Output(file, bytesMax);
  t.teardown(() => {
    output.close();
    rmSync(made, { recursive: true, force: true });
  });
  return { file, output };
}

test("Output keeps whole lines, however they are cut", (t) => {
  const { output, file } = setUp(t);
  for (const text of ["a", "b\nc", "\n\nd"]) output.write(text);
  t.deepEqual(output.lines, ["ab", "c", ""]);
  output.flush();
  t.deepEqual(output.lines, ["ab", "c", "", "d"]);
  output.flush();
  t.is(readFileSync(file, "utf8"), "ab\nc\n\nd\n");
  t.is(statSync(file).mode & 0o777, 0o600);
});

test("Output keeps only the last lines, and no endless one", (t) => {
  const { output } = setUp(t);
  output.write(Array.from({ length: linesKept + 5 }, (_, index) => `${index}\n`).join(""));
  t.is(output.lines.length, linesKept);
  t.is(output.lines[0], "5");
  for (let part = 0; part < 20; part += 1) output.write("x".repeat(1000));
  output.flush();
  t.is(output.lines.at(-1)?.length, lineCharactersMax);
});

test("Output bounds its file and keeps the one before", (t) => {
  const { output, file } = setUp(t, 1000);
  for (let line = 0; line < 100; line += 1) output.write(`${"x".repeat(99)}\n`);
  t.true(statSync(file).size <= 1_200);
  t.true(statSync(`${file}.1`).size <= 1_200);
  t.is(output.lines.length, 100);
});

test("Output bears to be written to after its end", (t) => {
  const { output, file } = setUp(t);
  output.close();
  output.close();
  output.write("late\n");
  t.deepEqual(output.lines, ["late"]);
  t.is(readFileSync(file, "utf8"), "");
});
