// What `--help` teaches, as files that people review.
import test from "ava";
import { golden } from "#/test/kit/golden.ts";
import { readArguments } from "./args.ts";
import { commandTree, leaves } from "./command-tree.ts";

const context = { version: "0.0.0", width: 100 };

for (const group of ["certs", "identity", "federation"]) {
  test(`help of every "${group}" command as in its golden file`, (t) => {
    const paths = leaves().filter(({ path }) => path.startsWith(`${group} `));
    const texts = [group, ...paths.map(({ path }) => path)].map((path) => {
      const read = readArguments(commandTree, [...path.split(" "), "--help"], context);
      return read.kind === "run" ? "" : `$ signet ${path} --help\n${read.text}\n`;
    });
    const text = texts.join("\n");
    t.is(text, golden(new URL(`golden/help-${group}.txt`, import.meta.url), text));
    for (const line of text.split("\n")) t.true(line.length <= 100, line);
  });
}
