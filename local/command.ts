// Runs a system tool and says clearly when it fails.
import { execFile } from "node:child_process";
import type { ExecFileException } from "node:child_process";
import { constants } from "node:os";
import { LocalError } from "./objects.ts";

const outputBytesMax = 4 * 1024 * 1024;
const timeoutMsDefault = 20_000;
const codeNotRun = 127;

export interface CommandResult {
  /** As a shell says it: 128 and the signal's number when a signal ended it, 127 when it did not run. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Goes to its standard input. */
  readonly input?: string;
  readonly timeoutMs?: number;
  /** Instead of this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Ends it when it aborts. */
  readonly signal?: AbortSignal;
}

/** Never rejects for an exit code. */
export function attempt(
  program: string,
  args: readonly string[],
  { input = "", timeoutMs = timeoutMsDefault, environment, signal }: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = {
      maxBuffer: outputBytesMax,
      timeout: timeoutMs,
      killSignal: "SIGKILL" as const,
      ...(environment === undefined ? {} : { env: environment }),
      ...(signal === undefined ? {} : { signal }),
    };
    const child = execFile(program, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : codeOf(error);
      const silent = stderr === "" && error !== null;
      resolve({ code, stdout, stderr: silent ? faultOf(error, timeoutMs) : stderr });
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

function codeOf({ code, signal }: ExecFileException): number {
  if (typeof code === "number") return code;
  return signal === undefined || signal === null
    ? codeNotRun
    : 128 + (constants.signals[signal] ?? 0);
}

/** What the program could not say itself. An exit code says what it says: empty. */
function faultOf({ code, killed, message, signal }: ExecFileException, timeoutMs: number): string {
  if (typeof code === "number") return "";
  // Not started, stopped from here, or too much output.
  if (typeof code === "string") return message;
  return killed === true ? `not done within ${timeoutMs / 1000} s` : `ended by ${signal}`;
}

/** Its standard output; throws LocalError when it fails. */
export async function run(program: string, args: readonly string[], input = ""): Promise<string> {
  const { code, stdout, stderr } = await attempt(program, args, { input });
  if (code === 0) return stdout;
  throw new LocalError(
    "step_failed",
    `Cannot run "${[program, ...args].join(" ")}": ended with ${code}: ${stderr.trim().slice(0, 500)}`,
  );
}
