// The command line as a user has it, against the cluster of the tests.
import path from "node:path";
import { run } from "../command.ts";
import type { CommandResult } from "../command.ts";
import { checkout } from "../settings.ts";

const timeoutMsDefault = 60_000;

/** Never rejects for its exit code. */
export function signet(
  words: readonly string[],
  options: { readonly input?: string; readonly timeoutMs?: number } = {},
): Promise<CommandResult> {
  return run(process.execPath, wordsOf(words), { timeoutMs: timeoutMsDefault, ...options });
}

/** The same at a terminal, and what is typed there; both streams come as one. */
export function signetAtTerminal(words: readonly string[], typed: string): Promise<CommandResult> {
  const line = [process.execPath, ...wordsOf(words)].join(" ");
  return run("script", ["-qec", line, "/dev/null"], { input: typed, timeoutMs: timeoutMsDefault });
}

/** Its stdout; throws with what it said when it does not end with 0. */
export async function signetText(words: readonly string[], input = ""): Promise<string> {
  const { exitCode, stdout, stderr } = await signet(words, { input });
  if (exitCode === 0) return stdout;
  throw new Error(`signet ${words.join(" ")} ended with ${exitCode}: ${stdout} ${stderr}`);
}

/** What it prints as JSON; throws with what it said when it says anything else. */
export async function signetJson(words: readonly string[]): Promise<unknown> {
  const { stdout, stderr } = await signet([...words, "--output", "json"]);
  try {
    return JSON.parse(stdout);
  } catch (cause) {
    throw new Error(`signet ${words.join(" ")}: ${stdout} ${stderr}`, { cause });
  }
}

function wordsOf(words: readonly string[]): readonly string[] {
  const program = ["--disable-warning=ExperimentalWarning", path.join(checkout, "cli/main.ts")];
  return [...program, "--kubeconfig", process.env["KUBECONFIG"] ?? "", ...words];
}
