// The command line of `npm run bench -- profile`. Pure.
import { parseArgs } from "node:util";
import { messageOf } from "#/lib/errors.ts";
import { usage } from "../options.ts";
import { works } from "../works.ts";

export interface ProfileOptions {
  readonly work: string;
  readonly seconds: number;
  /** The SVGs are written there; made when it is missing. */
  readonly folder: string;
  readonly help: boolean;
}

const secondsMax = 600;
const workDefault = "h1-mtls-pair";

const flags = {
  work: { type: "string" },
  seconds: { type: "string" },
  out: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** Throws UsageError. */
export function readProfileOptions(commandLine: readonly string[]): ProfileOptions {
  const {
    work = workDefault,
    seconds = "10",
    out = ".state/profile",
    help = false,
  } = parse(commandLine);
  if (!works.some(({ name }) => name === work)) throw usage(`unknown work "${work}"`, seeHelp);
  const count = /^\d{1,3}$/.test(seconds) ? Number(seconds) : 0;
  if (count < 1 || count > secondsMax) {
    throw usage(`"--seconds ${seconds}" is not a number from 1 to ${secondsMax}`, seeHelp);
  }
  return { work, seconds: count, folder: out, help };
}

const seeHelp = "Run npm run bench -- profile --help";

function parse(
  commandLine: readonly string[],
): ReturnType<typeof parseArgs<{ options: typeof flags }>>["values"] {
  try {
    return parseArgs({ args: [...commandLine], options: flags }).values;
  } catch (error) {
    throw usage(messageOf(error), seeHelp);
  }
}

export const profileHelpText: string = `Usage: npm run bench -- profile [options]

Where the CPU time of our sidecars goes: puts a work's load on them and writes a flame graph of each, an SVG
to open in a browser. Needs root. Profiling costs the sidecars some percent: read shares, not microseconds.

  --work NAME      the load (${workDefault}): ${works.map(({ name }) => name).join(", ")}
  --seconds N      profiled under that load, after it has warmed up, 1 to ${secondsMax} (10)
  --out FOLDER     for WORK-outbound.svg and WORK-inbound.svg (.state/profile)
  --help           this text

How to read one: each box is a function, as wide as the share of CPU time spent in it and in what it calls,
standing on its caller. What is idle is left out. Wide boxes with nothing above them are where time is
spent: look along the top edge. "(program)" is native code that V8 cannot name: the kernel's reads and
writes, TLS. "(garbage collector)" is memory being given back. A click on a box makes it as wide as the
picture, a click on the lowest one goes back, "search" marks functions and files by a regular expression.

Example: what do realistic headers cost?
  npm run bench -- profile --work h1-mtls-pair --out /tmp/small
  npm run bench -- profile --work h1-mtls-pair-headers --out /tmp/headers
`;
