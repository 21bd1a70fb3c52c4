// The command line. Pure.
import { parseArgs } from "node:util";
import { MeshError, messageOf } from "#/lib/errors.ts";

export class UsageError extends MeshError<"usage_invalid"> {}

const suites = ["proxy", "ca", "startup", "volume"] as const;
type Suite = (typeof suites)[number];

export interface Options {
  readonly suites: readonly Suite[];
  readonly jsonFile: string | null;
  readonly rounds: number;
  readonly works: readonly string[];
  readonly subjects: readonly string[];
  readonly measureS: number;
  readonly firstWarmUpS: number;
  /** Certificates per round. */
  readonly calls: number;
  /** In the ledger before `log-append` begins. */
  readonly ledgerEntries: number;
  /** Where our own processes write CPU profiles as they end; null: nowhere. */
  readonly profileFolder: string | null;
  readonly help: boolean;
}

const roundsMax = 100;

/** Throws UsageError. */
export function readOptions(commandLine: readonly string[]): Options {
  const { values, positionals } = parse(commandLine);
  const [suite = "all", ...more] = positionals;
  const asked = suites.filter((each) => suite === "all" || each === suite);
  if (more.length > 0 || asked.length === 0) {
    throw usage(`unknown suite "${[suite, ...more].join(" ")}"`);
  }
  const quick = values.quick === true;
  return {
    suites: asked,
    jsonFile: values.json ?? null,
    rounds: values.rounds === undefined ? (quick ? 2 : 5) : readRounds(values.rounds),
    works: values.work ?? [],
    subjects: values.subject ?? [],
    measureS: quick ? 2 : 4,
    firstWarmUpS: quick ? 2 : 5,
    calls: quick ? 300 : 3000,
    ledgerEntries: quick ? 20_000 : 1_000_000,
    profileFolder: values.profile ?? null,
    help: values.help === true,
  };
}

const flags = {
  json: { type: "string" },
  rounds: { type: "string" },
  work: { type: "string", multiple: true },
  subject: { type: "string", multiple: true },
  quick: { type: "boolean" },
  profile: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

type Parsed = ReturnType<
  typeof parseArgs<{ options: typeof flags; allowPositionals: true; args: string[] }>
>;

function parse(commandLine: readonly string[]): Parsed {
  try {
    return parseArgs({ args: [...commandLine], options: flags, allowPositionals: true });
  } catch (error) {
    throw usage(messageOf(error));
  }
}

function readRounds(text: string): number {
  const rounds = /^\d+$/.test(text) ? Number(text) : 0;
  if (rounds >= 1 && rounds <= roundsMax) return rounds;
  throw usage(`"--rounds ${text}" is not a number from 1 to ${roundsMax}`);
}

export function usage(state: string, next = "Run npm run bench -- --help"): UsageError {
  return new UsageError("usage_invalid", `Cannot read the command line: ${state}`, { next });
}

export const helpText: string = `Usage: npm run bench -- [${suites.join("|")}] [options]

Measures our sidecar and our CA beside others on this machine. Needs root. All suites when none is named.

  --json FILE      also write the rows to FILE
  --rounds N       rounds per work and subject, 1 to ${roundsMax} (5)
  --work NAME      only this work; may be repeated
  --subject NAME   only this subject; may be repeated
  --quick          2 short rounds: shows that it runs, not how fast
  --profile FOLDER our own processes write CPU profiles there; costs a little
  --help           this text

       npm run bench -- profile [options]

Draws a flame graph of our sidecars under one work; npm run bench -- profile --help.
`;
