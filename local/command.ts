// Runs a system tool and says clearly when it fails.
import { execFile } from "node:child_process";
import { LocalError } from "./objects.ts";

const outputBytesMax = 4 * 1024 * 1024;
const timeoutMsDefault = 20_000;

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Never rejects for an exit code; `input` goes to its standard input. */
export function attempt(
  program: string,
  args: readonly string[],
  input = "",
  timeoutMs: number = timeoutMsDefault,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = { maxBuffer: outputBytesMax, timeout: timeoutMs };
    const child = execFile(program, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
      resolve({ code, stdout, stderr: stderr === "" && error !== null ? error.message : stderr });
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/** Its standard output; throws LocalError when it fails. */
export async function run(program: string, args: readonly string[], input = ""): Promise<string> {
  const { code, stdout, stderr } = await attempt(program, args, input);
  if (code === 0) return stdout;
  throw new LocalError(
    "step_failed",
    `Cannot run "${[program, ...args].join(" ")}": ended with ${code}: ${stderr.trim().slice(0, 500)}`,
  );
}
