// `signet`: from words to a command, from a command to an exit code. 0 done, 1 failed, 2 wrong usage;
// 130 when the person stopped it. Does nothing itself.
import { setImmediate as turn } from "node:timers/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "#/lib/clock.ts";
import { namesFor } from "#/local/launch.ts";
import { readArguments, UsageError } from "./args.ts";
import type { Invocation } from "./args.ts";
import { clusterFault } from "./cluster-fault.ts";
import { commandTree } from "./command-tree.ts";
import { namesCluster } from "./cluster-access.ts";
import { actions } from "./commands/actions.ts";
import { EXIT_FAILED, EXIT_OK, EXIT_STOPPED, EXIT_USAGE } from "./exit-codes.ts";
import { createPrinter } from "./print.ts";
import type { OutputFormat } from "./print.ts";
import { Stopping } from "./stopping.ts";
import { signetVersion } from "#/lib/version.ts";

const HELP_WIDTH_MAX = 100;

const repository = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const stopping = new Stopping(systemClock);
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    if (stopping.bySignal(name)) process.exit(EXIT_STOPPED);
  });
}
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error) => stopping.byOutput(error));
}
// The clock's timers keep nobody waiting; a command that only sleeps has not ended.
setInterval(() => undefined, 2 ** 30);
const code = await main(process.argv.slice(2));
// A failed write is told a turn later.
await turn();
if (stopping.fault !== null) createPrinter("table").error(stopping.fault);
// Sockets that are kept alive for a next request must not keep the process.
process.exit(stopping.exitCode(code));

async function main(commandLine: readonly string[]): Promise<number> {
  try {
    const read = readArguments(commandTree, commandLine, {
      version: signetVersion,
      width: Math.min(process.stdout.columns ?? HELP_WIDTH_MAX, HELP_WIDTH_MAX),
    });
    if (read.kind === "run") return await run(read);
    createPrinter("table").raw(read.text);
    return EXIT_OK;
  } catch (thrown) {
    if (!(thrown instanceof UsageError)) throw thrown;
    createPrinter(wantsJson(commandLine) ? "json" : "table").error(thrown);
    return EXIT_USAGE;
  }
}

async function run({ path: commandPath, words, options }: Invocation): Promise<number> {
  const print = createPrinter(options["output"] as OutputFormat);
  const action = actions[commandPath];
  if (action === undefined) throw new Error(`No action for "${commandPath}"`);
  const { signal } = stopping;
  if (commandPath.startsWith("local ") && namesCluster({ options })) {
    throw new UsageError(
      "usage",
      `Cannot use a cluster with "${commandPath}": it is this machine's`,
    );
  }
  const state = typeof options["state"] === "string" ? options["state"] : undefined;
  try {
    return await action({
      print,
      clock: systemClock,
      signal,
      // Two meshes at once need namespaces of different names: tests give theirs here.
      names: namesFor(state, process.env["SIGNET_LOCAL_PREFIX"] ?? "signet"),
      repository,
      words,
      options,
    });
  } catch (thrown) {
    if (thrown instanceof UsageError) throw thrown;
    if (signal.aborted && thrown === signal.reason) return EXIT_STOPPED;
    print.error(clusterFault(thrown));
    return EXIT_FAILED;
  }
}

/** Before the words could be read, as far as that can be told. */
function wantsJson(commandLine: readonly string[]): boolean {
  return /(?:^| )(?:-o|--output)[ =]?json(?: |$)/.test(commandLine.join(" "));
}
