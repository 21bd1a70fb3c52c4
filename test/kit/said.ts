// A command of `signet` as a person would see it: what it says, and its exit code.
import type { CommandContext } from "#/cli/commands/context.ts";
import type { Mesh } from "#/cli/mesh.ts";
import { createPrinter } from "#/cli/print.ts";
import type { OutputFormat } from "#/cli/print.ts";
import { startMs } from "./certificate-authority.ts";
import { ManualClock } from "./manual-clock.ts";

export interface Said {
  readonly text: string;
  readonly code: number;
}

export interface Asked {
  readonly words?: CommandContext["words"];
  readonly options?: CommandContext["options"];
  readonly format?: OutputFormat;
  readonly clock?: ManualClock;
}

export async function said(
  command: (context: CommandContext, mesh: Mesh) => Promise<number>,
  mesh: Mesh,
  { words = {}, options = {}, format = "table", clock = new ManualClock(startMs) }: Asked = {},
): Promise<Said> {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text) };
  const context: CommandContext = {
    print: createPrinter(format, { LANG: "C.UTF-8" }, stream, stream),
    clock,
    signal: new AbortController().signal,
    names: { prefix: "none", stateDirectory: "/nonexistent" },
    repository: "/nonexistent",
    words,
    options,
  };
  const code = await command(context, mesh);
  return { text: written.join(""), code };
}
