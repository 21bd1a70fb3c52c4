// Runs programs of this machine (openssl, tcpdump).
import { spawn } from "node:child_process";
import type { Execution } from "../mesh.ts";

const OUTPUT_BYTES_MAX = 128 * 1024 * 1024;
const ERROR_CHARACTERS_MAX = 4096;

/** To its end. Rejects when it cannot be run. */
export async function runHere(command: readonly string[], input: string): Promise<Execution> {
  const { stdout, ...rest } = await runUntil(command, input);
  return { ...rest, stdout: stdout.toString("utf8") };
}

interface RunOptions {
  readonly signal?: AbortSignal;
  /** As it comes. */
  readonly onStderr?: (text: string) => void;
}

export interface RunEnd {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Ended by SIGTERM when told to: what it wrote until then is the answer. */
export function runUntil(
  [program = "", ...rest]: readonly string[],
  input: string,
  { signal, onStderr }: RunOptions = {},
): Promise<RunEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { stdio: "pipe" });
    const out: Buffer[] = [];
    let outBytes = 0;
    let stderr = "";
    const end = (): void => void child.kill("SIGTERM");
    signal?.addEventListener("abort", end, { once: true });
    if (signal?.aborted === true) end();
    child.on("error", reject);
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    child.stdout.on("data", (chunk: Buffer) => {
      outBytes += chunk.length;
      if (outBytes > OUTPUT_BYTES_MAX) end();
      else out.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      onStderr?.(chunk.toString("utf8"));
      stderr = (stderr + chunk.toString("utf8")).slice(-ERROR_CHARACTERS_MAX);
    });
    child.on("close", (code) => {
      signal?.removeEventListener("abort", end);
      resolve({ exitCode: code ?? 1, stdout: Buffer.concat(out), stderr });
    });
  });
}
