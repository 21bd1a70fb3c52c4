// A second cluster beside the first, for test files that would only wait for each other: a process of its
// own, which is this command again and knows nothing of the first.
import { spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { countsOf } from "./counts.ts";
import type { Counts } from "./counts.ts";
import { ordinalVariable, rigFolder } from "./settings.ts";

/** Runs these test files on it, from up to down. What it prints is passed on, but for the closing line. */
export async function runOnSecond(files: readonly string[]): Promise<Counts> {
  let counts: Counts | null = null;
  await onSecond(files, (line) => {
    const closing = countsOf(line);
    if (closing === null) process.stdout.write(`${line}\n`);
    else counts = closing;
  });
  return counts ?? { passed: 0, failed: 1, skipped: 0 };
}

/** Takes away what a run that was killed left of it. */
export function removeSecond(): Promise<void> {
  return onSecond(["down"], (line) => process.stdout.write(`${line}\n`));
}

async function onSecond(words: readonly string[], heard: (line: string) => void): Promise<void> {
  const command = [process.execPath, path.join(rigFolder, "main.ts"), ...words];
  // Whoever ends this process lets it take its cluster down.
  const child = spawn("setpriv", ["--pdeathsig", "TERM", ...command], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, [ordinalVariable]: "2" },
  });
  const ended = new Promise((resolve) => child.on("close", resolve));
  for await (const line of createInterface({ input: child.stdout })) heard(line);
  await ended;
}
