import test from "ava";
import { MeshError } from "#/lib/errors.ts";
import { chooseStyle } from "./paint.ts";
import { canColour, canUnicode, createPrinter, formatError } from "./print.ts";
import type { OutputStream } from "./print.ts";

const plain = chooseStyle({ colour: false, unicode: false });

class Broken extends MeshError<"broken"> {}

function stream(isTTY: boolean, columns = 60): OutputStream & { text: string } {
  return {
    isTTY,
    columns,
    rows: 20,
    text: "",
    write(text) {
      this.text += text;
    },
  };
}

for (const [isTty, environment, expected] of [
  [true, {}, true],
  [true, { TERM: "xterm" }, true],
  [false, {}, false],
  [true, { NO_COLOR: "1" }, false],
  [true, { NO_COLOR: "" }, true],
  [true, { TERM: "dumb" }, false],
  [false, { FORCE_COLOR: "1" }, true],
  [false, { FORCE_COLOR: "0" }, false],
  [true, { NO_COLOR: "1", FORCE_COLOR: "1" }, false],
] as const) {
  test(`canColour on ${isTty ? "a terminal" : "a pipe"} with ${JSON.stringify(environment)}`, (t) => {
    t.is(canColour(isTty, environment), expected);
  });
}

for (const [environment, expected] of [
  [{ LANG: "C.UTF-8" }, true],
  [{ LANG: "en_US.utf8" }, true],
  [{ LANG: "C" }, false],
  [{}, false],
  [{ LC_ALL: "C", LANG: "C.UTF-8" }, false],
  [{ LC_ALL: "", LANG: "C.UTF-8" }, true],
] as const) {
  test(`canUnicode with ${JSON.stringify(environment)}`, (t) => {
    t.is(canUnicode(environment), expected);
  });
}

test("createPrinter colours a terminal and fits it, and neither in a pipe", (t) => {
  const terminal = createPrinter("table", { LANG: "C.UTF-8" }, stream(true), stream(true));
  t.is(terminal.style.paint.red("x"), "\u001b[31mx\u001b[39m");
  t.is(terminal.width(), 60);
  const pipe = createPrinter("table", { LANG: "C.UTF-8" }, stream(false), stream(false));
  t.is(pipe.style.paint.red("x"), "x");
  t.true(pipe.width() > 1000);
});

test("createPrinter puts results on stdout, remarks and errors on stderr", (t) => {
  const [out, err] = [stream(false), stream(false)];
  const print = createPrinter("table", {}, out, err);
  print.lines(["one", "two"]);
  print.json({ three: 3 });
  print.note("remark");
  print.error(new Broken("broken", "Cannot go on: it broke", { next: "Mend it" }));
  t.is(out.text, 'one\ntwo\n{\n  "three": 3\n}\n');
  t.is(err.text, "remark\nsignet: Cannot go on: it broke\n  next: Mend it\n");
});

test("formatError tells what, and what to do; nothing when there is nothing to do", (t) => {
  t.is(formatError(new Broken("broken", "Cannot go on"), "table", plain), "signet: Cannot go on");
});

test("formatError is one JSON object for programs", (t) => {
  const error = new Broken("broken", "Cannot go on", { next: "Mend it" });
  t.deepEqual(JSON.parse(formatError(error, "json", plain)), {
    error: { code: "broken", message: "Cannot go on", next: "Mend it" },
  });
});

test("formatError asks for a report when the fault is ours", (t) => {
  const text = formatError(new TypeError("undefined is not a function"), "table", plain);
  t.regex(text, /^signet: undefined is not a function\n {2}next: This is a fault in signet/);
  t.regex(text, /print\.test\.ts/);
  t.is(JSON.parse(formatError("just text", "json", plain)).error.code, "unexpected");
});
