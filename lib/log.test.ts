// A process of its own for each case: what counts is what has reached its stderr when it ends.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import test from "ava";

const log = fileURLToPath(new URL("log.ts", import.meta.url));

/** Runs `main` (source text) to its end; the messages that reached stderr, in their order. */
function messagesOf(main: string): readonly string[] {
  const source = `
    import { createLog } from ${JSON.stringify(log)};
    import { writeSync } from "node:fs";
    const log = createLog("test", "info");
    const other = createLog("other", "info");
    ${main}`;
  const { stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", source], {
    encoding: "utf8",
  });
  return stderr
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => String((JSON.parse(line) as { readonly msg: unknown }).msg));
}

test("createLog writes the lines of a turn at its end, in their order, whoever says them", (t) => {
  const main = `
    log.info("one"); other.info("two");
    writeSync(2, '{"msg":"still the same turn"}\\n');
    setImmediate(() => setImmediate(() => writeSync(2, '{"msg":"later"}\\n')));`;
  t.deepEqual(messagesOf(main), ["still the same turn", "one", "two", "later"]);
});

for (const method of ["warn", "error"]) {
  test(`createLog has ${method} on stderr at once, and what was said before`, (t) => {
    const main = `
      log.info("before"); log.${method}("it");
      process.kill(process.pid, "SIGKILL"); for (;;);`;
    t.deepEqual(messagesOf(main), ["before", "it"]);
  });
}

for (const [how, end] of [
  ["ends by itself", ""],
  ["exits in the same turn", "process.exit();"],
  ["throws what nobody catches", `throw new Error("late");`],
] as const) {
  test(`createLog loses nothing when the process ${how}`, (t) => {
    const main = `for (let at = 0; at < 3000; at += 1) log.info(String(at)); ${end}`;
    t.deepEqual(
      messagesOf(main),
      Array.from({ length: 3000 }, (_each, at) => String(at)),
    );
  });
}

test("createLog loses nothing in a turn that says more than is kept for its end", (t) => {
  const main = `
    for (let at = 0; at < 3000; at += 1) log.info(String(at));
    writeSync(2, '{"msg":"the turn ends"}\\n');`;
  const messages = messagesOf(main);
  t.is(messages.length, 3001);
  const end = messages.indexOf("the turn ends");
  t.true(end > 0 && end < 3000, "what is over the limit was written before the turn's end");
});
