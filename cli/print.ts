// The only file that writes to the terminal. What can be shown (colours, characters, width) is
// decided once, from the streams and the environment; everything else in cli/ makes lines.
import { MeshError, messageOf } from "#/lib/errors.ts";
import { chooseStyle } from "./paint.ts";
import type { Style } from "./paint.ts";

export type OutputFormat = "table" | "json";

/** As much of a stream as is needed to write to it. */
export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export interface Printer {
  readonly style: Style;
  /** False: plain lines only, nothing is redrawn. */
  readonly isTty: boolean;
  readonly format: OutputFormat;
  /** Read anew each time: windows are resized. */
  width(): number;
  height(): number;
  /** To standard output, as it is. */
  raw(text: string): void;
  lines(lines: readonly string[]): void;
  json(value: unknown): void;
  /** Remarks that are no result, to standard error. */
  note(text: string): void;
  error(thrown: unknown): void;
}

const WIDTH_WHEN_UNKNOWN = 100;
const HEIGHT_WHEN_UNKNOWN = 40;
/** A table in a pipe is read by programs and by eyes in pagers: it is not cut. */
const WIDTH_OF_A_PIPE = 10_000;

/** True for a terminal unless NO_COLOR, TERM=dumb or CI say otherwise; FORCE_COLOR=1 insists. */
export function canColour(
  isTty: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if ((environment["NO_COLOR"] ?? "") !== "") return false;
  if ((environment["FORCE_COLOR"] ?? "0") !== "0") return true;
  return isTty && environment["TERM"] !== "dumb";
}

/** Whether the locale is UTF-8; the first variable that is set decides, as in POSIX. */
export function canUnicode(environment: Readonly<Record<string, string | undefined>>): boolean {
  const locale = [environment["LC_ALL"], environment["LC_CTYPE"], environment["LANG"]].find(
    (value) => value !== undefined && value !== "",
  );
  return /utf-?8/i.test(locale ?? "");
}

export function createPrinter(
  format: OutputFormat,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  stdout: OutputStream = process.stdout,
  stderr: OutputStream = process.stderr,
): Printer {
  const isTty = stdout.isTTY === true;
  const unicode = canUnicode(environment);
  const style = chooseStyle({ colour: canColour(isTty, environment), unicode });
  const errorStyle = chooseStyle({
    colour: canColour(stderr.isTTY === true, environment),
    unicode,
  });
  const write = (text: string): void => void stdout.write(text);
  return {
    style,
    isTty,
    format,
    width: () => (isTty ? (stdout.columns ?? WIDTH_WHEN_UNKNOWN) : WIDTH_OF_A_PIPE),
    height: () => stdout.rows ?? HEIGHT_WHEN_UNKNOWN,
    raw: write,
    lines: (lines) => write(lines.map((line) => `${line}\n`).join("")),
    json: (value) => write(`${JSON.stringify(value, null, 2)}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    error: (thrown) => void stderr.write(`${formatError(thrown, format, errorStyle)}\n`),
  };
}

/** What failed and what to do next; for programs the same as one JSON object. */
export function formatError(thrown: unknown, format: OutputFormat, style: Style): string {
  const message = messageOf(thrown);
  const { code, next } =
    thrown instanceof MeshError ? thrown : { code: "unexpected", next: unexpectedNext(thrown) };
  if (format === "json") return JSON.stringify({ error: { code, message, next } });
  const head = `${style.paint.red("signet:")} ${message}`;
  return next === "" ? head : `${head}\n  ${style.paint.cyan("next:")} ${next}`;
}

/** A fault of ours: the stack is what a report needs. */
function unexpectedNext(thrown: unknown): string {
  const stack = thrown instanceof Error ? (thrown.stack ?? "") : "";
  return `This is a fault in signet; please report it with these lines\n${stack}`.trimEnd();
}
