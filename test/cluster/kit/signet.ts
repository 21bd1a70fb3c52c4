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
  const program = ["--disable-warning=ExperimentalWarning", path.join(checkout, "cli/main.ts")];
  const cluster = ["--kubeconfig", process.env["KUBECONFIG"] ?? ""];
  return run(process.execPath, [...program, ...cluster, ...words], {
    timeoutMs: timeoutMsDefault,
    ...options,
  });
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
