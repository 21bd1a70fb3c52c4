// Runs a program to its end. What a failure says is the end of what the program said.
import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { RigError } from "./errors.ts";

export interface CommandOptions {
  readonly folder?: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** Written to its standard input. */
  readonly input?: string;
  /** Read as its standard input. */
  readonly inputFile?: string;
  /** 0: as long as it takes. */
  readonly timeoutMs?: number;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How much of a failed program's output an error carries, in characters. */
const outputCharsMax = 4000;

/** Never rejects for the exit code; 127 when there is no such program, 124 when its time is up. */
export function run(
  program: string,
  parameters: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(program, parameters, {
      ...(options.folder === undefined ? {} : { cwd: options.folder }),
      env: options.environment ?? process.env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    let isLate = false;
    const timeoutMs = options.timeoutMs ?? 0;
    const expire = (): void => {
      isLate = true;
      child.kill("SIGKILL");
    };
    const timer = timeoutMs === 0 ? undefined : setTimeout(expire, timeoutMs);
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8");
      child[name].on("data", (text: string) => (output[name] += text));
    }
    const end = (exitCode: number): void => {
      clearTimeout(timer);
      resolve({ exitCode, ...output });
    };
    child.on("error", (error) => {
      output.stderr += error.message;
      end(127);
    });
    child.on("close", (code, signal) => end(isLate ? 124 : (code ?? (signal === null ? 1 : 137))));
    // A program that ends without having read everything is judged by its exit code.
    child.stdin.on("error", () => undefined);
    if (options.inputFile === undefined) child.stdin.end(options.input ?? "");
    else createReadStream(options.inputFile).pipe(child.stdin);
  });
}

/** Like `run`, and throws RigError unless it ends with 0. Returns stdout. */
export async function succeed(
  program: string,
  parameters: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { exitCode, stdout, stderr } = await run(program, parameters, options);
  if (exitCode === 0) return stdout;
  const said = `${stdout}\n${stderr}`.trim().slice(-outputCharsMax);
  const shown = [program, ...parameters].join(" ").slice(0, 300);
  throw new RigError("command_failed", `"${shown}" ended with ${exitCode}\n${said}`);
}
