// Draws lines over the lines drawn before. Two ways: in place, below what is already there (set-up),
// and on the terminal's other screen (the live view), which leaves no trace when it is closed.
import type { Printer } from "../print.ts";

const escape = "\u001b[";
const hideCursor = `${escape}?25l`;
const showCursor = `${escape}?25h`;
const otherScreen = `${escape}?1049h`;
const firstScreen = `${escape}?1049l`;
const home = `${escape}H`;
const clearToLineEnd = `${escape}K`;
const clearBelow = `${escape}J`;

export interface Screen extends Disposable {
  draw(lines: readonly string[]): void;
}

/** Each drawing takes the place of the last one; at the end the last one stays. */
export function drawInPlace(print: Printer): Screen {
  let drawn = 0;
  print.raw(hideCursor);
  return {
    draw(lines) {
      const up = drawn === 0 ? "" : `${escape}${drawn}A`;
      print.raw(
        `${up}\r${lines.map((line) => `${line}${clearToLineEnd}\n`).join("")}${clearBelow}`,
      );
      drawn = lines.length;
    },
    [Symbol.dispose]: () => print.raw(showCursor),
  };
}

/** The whole terminal. Disposing of it brings back what was there before. */
export function drawFullScreen(print: Printer): Screen {
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    process.off("exit", close);
    print.raw(`${showCursor}${firstScreen}`);
  };
  print.raw(`${otherScreen}${hideCursor}`);
  // Whatever ends the process, the person gets the terminal back.
  process.on("exit", close);
  return {
    draw: (lines) =>
      print.raw(
        `${home}${lines.map((line) => `${line}${clearToLineEnd}`).join("\n")}${clearBelow}`,
      ),
    [Symbol.dispose]: close,
  };
}
