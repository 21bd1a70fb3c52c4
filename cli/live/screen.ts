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

/** Stops this process as Ctrl-Z does where nobody listens; goes on when the shell says so. */
const suspendSelf = (): void => void process.kill(process.pid, "SIGSTOP");

/** While it is stopped the terminal is the shell's, and is to look like it. */
function giveBackWhileStopped(
  leave: () => void,
  enter: () => void,
  suspend: () => void,
): () => void {
  const stop = (): void => {
    leave();
    suspend();
  };
  process.on("SIGTSTP", stop);
  process.on("SIGCONT", enter);
  return () => {
    process.off("SIGTSTP", stop);
    process.off("SIGCONT", enter);
  };
}

export interface Screen extends Disposable {
  draw(lines: readonly string[]): void;
}

/** Each drawing takes the place of the last one; at the end the last one stays. */
export function drawInPlace(print: Printer, suspend: () => void = suspendSelf): Screen {
  let drawn = 0;
  print.raw(hideCursor);
  const enter = (): void => {
    // The shell has written below: the next drawing begins there.
    drawn = 0;
    print.raw(hideCursor);
  };
  const leaveAlone = giveBackWhileStopped(() => print.raw(showCursor), enter, suspend);
  return {
    draw(lines) {
      const up = drawn === 0 ? "" : `${escape}${drawn}A`;
      print.raw(
        `${up}\r${lines.map((line) => `${line}${clearToLineEnd}\n`).join("")}${clearBelow}`,
      );
      drawn = lines.length;
    },
    [Symbol.dispose]() {
      leaveAlone();
      print.raw(showCursor);
    },
  };
}

/** The whole terminal. Disposing of it brings back what was there before. */
export function drawFullScreen(print: Printer, suspend: () => void = suspendSelf): Screen {
  let isOpen = true;
  let shown: readonly string[] = [];
  const enter = (): void => print.raw(`${otherScreen}${hideCursor}`);
  const leave = (): void => print.raw(`${showCursor}${firstScreen}`);
  const draw = (lines: readonly string[]): void => {
    shown = lines;
    print.raw(`${home}${lines.map((line) => `${line}${clearToLineEnd}`).join("\n")}${clearBelow}`);
  };
  const goOn = (): void => {
    enter();
    draw(shown);
  };
  const leaveAlone = giveBackWhileStopped(leave, goOn, suspend);
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    process.off("exit", close);
    leaveAlone();
    leave();
  };
  enter();
  // Whatever ends the process, the person gets the terminal back.
  process.on("exit", close);
  return { draw, [Symbol.dispose]: close };
}
