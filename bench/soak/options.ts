// The command line of `npm run soak`. Pure.
import { parseArgs } from "node:util";
import { MeshError, messageOf } from "#/lib/errors.ts";
import { rule } from "./trend.ts";

class UsageError extends MeshError<"usage_invalid"> {}

export interface SoakOptions {
  readonly minutes: number;
  /** Of one stream that passes before the soak; 0: none. */
  readonly gib: number;
  /** Requests per second on connections that are kept. */
  readonly rate: number;
  readonly file: string;
  readonly help: boolean;
}

const minutesMax = 24 * 60;
const gibMax = 1024;
const rateMax = 5000;

const flags = {
  minutes: { type: "string" },
  gib: { type: "string" },
  rate: { type: "string" },
  json: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** Throws UsageError. */
export function readSoakOptions(commandLine: readonly string[]): SoakOptions {
  const {
    minutes = "30",
    gib = "0",
    rate = "300",
    json = "bench/results/soak.json",
    help = false,
  } = parse(commandLine);
  return {
    minutes: readNumber("minutes", minutes, minutesMax),
    gib: readNumber("gib", gib, gibMax),
    rate: readNumber("rate", rate, rateMax),
    file: json,
    help,
  };
}

function parse(
  commandLine: readonly string[],
): ReturnType<typeof parseArgs<{ options: typeof flags }>>["values"] {
  try {
    return parseArgs({ args: [...commandLine], options: flags }).values;
  } catch (error) {
    throw usage(messageOf(error));
  }
}

function readNumber(name: string, text: string, most: number): number {
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value <= most) return value;
  throw usage(`"--${name} ${text}" is not a number from 0 to ${most}`);
}

function usage(state: string): UsageError {
  return new UsageError("usage_invalid", `Cannot read the command line: ${state}`, {
    next: "Run npm run soak -- --help",
  });
}

export const soakHelpText: string = `Usage: npm run soak -- [options]

Keeps two of our sidecars busy for a while with everything at once, and says whether they grow. They run as
they ship, in a mesh of their own (network namespaces, a controller), which is gone afterwards, also after
Ctrl-C. Needs root and some 400 MiB.

  --minutes N      how long, 0 to ${minutesMax} (30); the verdict wants ten or more
  --gib N          first pass so many GiB as one TCP stream, 0 to ${gibMax} (0); with --minutes 0 only that
  --rate N         requests/s on connections that are kept, 0 to ${rateMax} (300); less where others need the CPU
  --json FILE      all samples and verdicts (bench/results/soak.json)
  --help           this text

What passes, all through mutual TLS: requests on connections that are kept, 20/s on connections of
their own, slow heads and slow readers, 8 WebSockets, 4 long TCP connections and 4 new ones a second.

What is sampled every few seconds, for each sidecar: resident and proportional memory, heap, buffers outside
the heap, open descriptors; progress is a line each half minute. ${rule}

Ends with 0 when nothing grows and nothing failed, with 1 when something grows or failed.

Examples:
  npm run soak                              half an hour
  npm run soak -- --minutes 1               does it run at all? (too brief for a verdict on memory)
  npm run soak -- --gib 10 --minutes 0      10 GiB through the pair: memory, speed, CPU for each GiB
`;
