// Runs programs of this machine (tcpdump, openssl). Ended by SIGTERM when told to; what they wrote until
// then is the answer.
import { spawn } from "node:child_process";
import type { TourContext } from "./claim.ts";

const CAPTURE_BYTES_MAX = 128 * 1024 * 1024;
/** More than this is no text for anybody to read. */
const TEXT_BYTES_MAX = 1024 * 1024;
const ERROR_CHARACTERS_MAX = 4096;

/** `nodeNamespace` is entered for commands that are to run where the pods' links end. */
export function runOnMachine(nodeNamespace: string): TourContext["runHere"] {
  return (command, { onNode = false, input = "", signal } = {}) => {
    const enter = onNode ? ["nsenter", `--net=/run/netns/${nodeNamespace}`] : [];
    return run([...enter, ...command], input, signal);
  };
}

function run(
  [program = "", ...rest]: readonly string[],
  input: string,
  signal: AbortSignal | undefined,
): ReturnType<TourContext["runHere"]> {
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
      if (outBytes > CAPTURE_BYTES_MAX) end();
      else out.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr = (stderr + chunk.toString("utf8")).slice(-ERROR_CHARACTERS_MAX);
    });
    child.on("close", (code) => {
      signal?.removeEventListener("abort", end);
      const stdoutBytes = Buffer.concat(out);
      resolve({
        exitCode: code ?? 1,
        stdoutBytes,
        stdout: stdoutBytes.length < TEXT_BYTES_MAX ? stdoutBytes.toString("utf8") : "",
        stderr,
      });
    });
  });
}
