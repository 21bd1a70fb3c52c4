// The client's command line, read into one of three jobs. Every number has a bound: this tool runs
// inside tours and tests, and must end.
import { parseArgs } from "node:util";

export interface LoadJob {
  readonly kind: "load";
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: string;
  readonly count: number;
  readonly durationMs: number;
  /** Requests per second, started on time whatever the answers do; null: as fast as answers come. */
  readonly ratePerS: number | null;
  readonly concurrency: number;
  readonly newConnections: boolean;
  readonly timeoutMs: number;
  readonly output: "text" | "json" | "show";
}

export interface RawJob {
  readonly kind: "raw";
  readonly host: string;
  readonly port: number;
  readonly send: string;
  /** 0: once. */
  readonly sendEveryMs: number;
  readonly holdMs: number;
  readonly timeoutMs: number;
}

export type Job = LoadJob | RawJob | { readonly kind: "idle" } | { readonly kind: "help" };

export class UsageError extends Error {}

const countMax = 1_000_000;
const ratePerSMax = 50_000;
const concurrencyMax = 1024;
const durationSMax = 3600;
const timeoutMsMax = 600_000;

const flagOptions = {
  help: { type: "boolean", short: "h" },
  idle: { type: "boolean" },
  json: { type: "boolean" },
  show: { type: "boolean" },
  count: { type: "string" },
  duration: { type: "string" },
  rate: { type: "string" },
  concurrency: { type: "string" },
  "new-connections": { type: "boolean" },
  header: { type: "string", multiple: true, short: "H" },
  method: { type: "string" },
  body: { type: "string" },
  "timeout-ms": { type: "string" },
  connect: { type: "string" },
  send: { type: "string" },
  "send-every-ms": { type: "string" },
  hold: { type: "string" },
} as const;

type Flags = ReturnType<typeof parseArgs<{ options: typeof flagOptions }>>["values"];

/** Throws UsageError with a sentence for a person. */
export function readJob(commandLine: readonly string[]): Job {
  const { values: flags, positionals } = parse(commandLine);
  if (flags.help === true) return { kind: "help" };
  if (flags.idle === true) return { kind: "idle" };
  if (flags.connect !== undefined) return readRawJob(flags, flags.connect);
  if (positionals.length !== 1) throw new UsageError("Name exactly one URL, --connect or --idle");
  return readLoadJob(flags, positionals[0]!);
}

function parse(commandLine: readonly string[]): { values: Flags; positionals: string[] } {
  try {
    return parseArgs({ args: [...commandLine], options: flagOptions, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function readLoadJob(flags: Flags, target: string): LoadJob {
  const url = URL.canParse(target) ? new URL(target) : null;
  if (url?.protocol !== "http:") throw new UsageError(`"${target}" is not an http:// URL`);
  const isTimed = flags.duration !== undefined;
  const ratePerS = flags.rate === undefined ? null : number("rate", flags.rate, ratePerSMax, 0.01);
  const count = flags.count ?? String(isTimed ? countMax : 1);
  return {
    kind: "load",
    url,
    method: readMethod(flags.method ?? (flags.body === undefined ? "GET" : "POST")),
    headers: readHeaders(flags.header ?? []),
    body: flags.body ?? "",
    count: whole("count", count, countMax),
    durationMs:
      number("duration", flags.duration ?? String(durationSMax), durationSMax, 0.01) * 1000,
    ratePerS,
    concurrency: whole("concurrency", flags.concurrency ?? (ratePerS ? "64" : "1"), concurrencyMax),
    newConnections: flags["new-connections"] === true,
    timeoutMs: whole("timeout-ms", flags["timeout-ms"] ?? "10000", timeoutMsMax),
    output: flags.json === true ? "json" : flags.show === true ? "show" : "text",
  };
}

function readRawJob(flags: Flags, target: string): RawJob {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(target);
  if (match === null) throw new UsageError(`"${target}" is not HOST:PORT`);
  return {
    kind: "raw",
    host: match[1] ?? match[2]!,
    port: whole("connect", match[3]!, 65_535),
    send: unescape(flags.send ?? ""),
    sendEveryMs: number("send-every-ms", flags["send-every-ms"] ?? "0", timeoutMsMax, 0),
    holdMs: number("hold", flags.hold ?? "5", durationSMax, 0) * 1000,
    timeoutMs: whole("timeout-ms", flags["timeout-ms"] ?? "10000", timeoutMsMax),
  };
}

function readHeaders(texts: readonly string[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (const text of texts) {
    const colon = text.indexOf(":");
    if (colon < 1) throw new UsageError(`"${text}" is not a header like name:value`);
    const name = text.slice(0, colon).trim().toLowerCase();
    const value = text.slice(colon + 1).trim();
    const present = headers[name];
    headers[name] = present === undefined ? value : [present, value].flat();
  }
  return headers;
}

function readMethod(text: string): string {
  if (/^[A-Z]{1,20}$/.test(text)) return text;
  throw new UsageError(`"${text}" is not a method in capitals`);
}

function whole(name: string, text: string, max: number): number {
  const value = number(name, text, max, 1);
  if (Number.isInteger(value)) return value;
  throw new UsageError(`--${name} ${text} is not a whole number`);
}

function number(name: string, text: string, max: number, min: number): number {
  const value = /^\d{1,9}(?:\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`--${name} ${text} is not a number from ${min} to ${max}`);
}

/** \r \n \t \\ and \xHH, so that raw requests can be written on a command line. */
function unescape(text: string): string {
  const named: Readonly<Record<string, string>> = { r: "\r", n: "\n", t: "\t", "\\": "\\" };
  return text.replaceAll(/\\(?:x([0-9a-fA-F]{2})|([rnt\\]))/g, (_, hex?: string, name?: string) =>
    hex === undefined ? named[name!]! : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

export const helpText = `Usage: client URL [options]            send HTTP requests, print a summary
       client --connect HOST:PORT [...]  open one TCP connection, print how it ended (JSON)
       client --idle                     do nothing until SIGTERM

  --count N          requests in all (1; with --duration 1000000)
  --duration S       start no more after this many seconds
  --rate R           requests per second, started on time; latency counts from the due time
  --concurrency C    in flight at once (1; with --rate 64)
  --new-connections  one connection per request; otherwise they are kept alive
  --header K:V, -H   may be repeated
  --method M, --body TEXT, --timeout-ms MS (10000)
  --json             one JSON object; --show prints each response instead
  --send TEXT        with --connect: what to send; \\r \\n \\t \\\\ and \\xHH are understood
  --send-every-ms MS with --connect: send it again and again
  --hold S           with --connect: close after this long (5)

Exit codes: 0 every request was answered, or the connection was held; 1 otherwise; 64 wrong usage.
`;
