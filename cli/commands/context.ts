// What every command is given.
import type { Clock } from "#/lib/clock.ts";
import { controlSocket } from "#/local/names.ts";
import type { Names } from "#/local/names.ts";
import { LocalClient } from "#/local/client.ts";
import { localMesh } from "../local-mesh.ts";
import type { Mesh } from "../mesh.ts";
import type { Printer } from "../print.ts";

export interface CommandContext {
  readonly print: Printer;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly names: Names;
  /** The folder that this program's files are in. */
  readonly repository: string;
  /** The words of each argument, by its name. */
  readonly words: Readonly<Record<string, readonly string[]>>;
  readonly options: Readonly<Record<string, string | true>>;
}

/** The exit code; what it throws is printed and becomes EXIT_FAILED. */
export type Action = (context: CommandContext) => Promise<number>;

export function meshOf({ names }: CommandContext): Mesh {
  return localMesh(controlSocket(names));
}

export function clientOf({ names }: CommandContext): LocalClient {
  return new LocalClient(controlSocket(names));
}

/** An argument of one word. */
export function word(context: CommandContext, name: string): string {
  return context.words[name]?.[0] ?? "";
}

/** An option's value; null when it was not given. */
export function option(context: CommandContext, name: string): string | null {
  const value = context.options[name];
  return typeof value === "string" ? value : null;
}
