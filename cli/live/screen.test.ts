import test from "ava";
import { createPrinter } from "../print.ts";
import { drawFullScreen, drawInPlace } from "./screen.ts";
import type { Screen } from "./screen.ts";

const escape = "\u001b[";
const first = `${escape}?25h${escape}?1049l`;
const other = `${escape}?1049h${escape}?25l`;

/** What was written, with "stopped" where the process would stop. */
function shownBy(make: typeof drawFullScreen): { screen: Screen; take: () => string } {
  const written: string[] = [];
  const stream = { isTTY: true, write: (text: string) => written.push(text) };
  const print = createPrinter("table", {}, stream, stream);
  const screen = make(print, () => void written.push("stopped"));
  return { screen, take: () => written.splice(0).join("") };
}

// The process's own signals: one test after the other.
test.serial("drawFullScreen gives the terminal back while it is stopped, then draws anew", (t) => {
  const { screen, take } = shownBy(drawFullScreen);
  t.is(take(), other);
  screen.draw(["a line"]);
  const picture = take();
  process.emit("SIGTSTP");
  t.is(take(), `${first}stopped`);
  process.emit("SIGCONT");
  t.is(take(), `${other}${picture}`);
  screen[Symbol.dispose]();
  t.is(take(), first);
  process.emit("SIGCONT");
  t.is(take(), "");
});

test.serial("drawInPlace shows the cursor while it is stopped, and goes on below", (t) => {
  const { screen, take } = shownBy(drawInPlace);
  screen.draw(["one", "two"]);
  take();
  process.emit("SIGTSTP");
  t.is(take(), `${escape}?25hstopped`);
  process.emit("SIGCONT");
  t.is(take(), `${escape}?25l`);
  screen.draw(["one"]);
  t.true(take().startsWith("\rone"));
  screen[Symbol.dispose]();
  t.is(process.listenerCount("SIGTSTP"), 0);
});
