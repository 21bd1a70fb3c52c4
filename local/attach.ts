// Runs a program with this process's own streams, for a person at a terminal or in a pipe: what
// `local exec` is. On a terminal the program gets one of its own (by script(1)): with ours it could type
// into it. Without one it gets a session of its own, so that all it started can be ended with it.
import { spawn } from "node:child_process";
import type { ChildProcess, StdioOptions } from "node:child_process";
import { constants } from "node:os";
import { systemClock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import { LocalError } from "./objects.ts";
import { rootEnvironment } from "./pod/container.ts";
import { quoteWord } from "./pod/launch-script.ts";

export interface AttachOptions {
  /** The streams are a terminal. */
  readonly onTerminal: boolean;
  /** Ends it when it aborts. */
  readonly signal: AbortSignal;
  /** This process's own, by default. */
  readonly stdio?: StdioOptions;
}

/** Between asking it to end and ending it. */
const graceMs = 2_000;

/** Resolves with its exit code, as a shell says it. Throws LocalError when it cannot be started. */
export async function attach(
  command: readonly string[],
  { onTerminal, signal, stdio = "inherit" }: AttachOptions,
): Promise<number> {
  signal.throwIfAborted();
  const [program = "", ...args] = onTerminal ? withTerminal(command) : command;
  const child = spawn(program, args, {
    stdio,
    env: { ...rootEnvironment, SHELL: "/bin/sh" },
    // On a terminal it must stay in the group that may read from it.
    detached: !onTerminal,
  });
  let cancel = (): void => undefined;
  const end = (): void => {
    kill(child, "SIGTERM", onTerminal);
    cancel = systemClock.after(graceMs, () => kill(child, "SIGKILL", onTerminal));
  };
  signal.addEventListener("abort", end, { once: true });
  try {
    return await exitOf(child);
  } finally {
    signal.removeEventListener("abort", end);
    cancel();
  }
}

/** Pure. The typescript that script(1) is named for goes nowhere. */
export function withTerminal(command: readonly string[]): readonly string[] {
  return ["script", "-qec", command.map(quoteWord).join(" "), "/dev/null"];
}

function kill(child: ChildProcess, signal: NodeJS.Signals, alone: boolean): void {
  if (child.pid === undefined) return;
  try {
    process.kill(alone ? child.pid : -child.pid, signal);
  } catch {
    // It ended by itself.
  }
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) =>
      reject(new LocalError("step_failed", `Cannot run the command: ${messageOf(error)}`)),
    );
    child.once("exit", (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
