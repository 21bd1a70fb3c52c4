// `signet log watch|copy|witness`: whoever keeps an eye on the logs. Each head must be signed, and each must
// begin with the one before.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { sleep } from "#/lib/clock.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import { EXIT_FAILED, EXIT_OK } from "../exit-codes.ts";
import { readGrowth } from "../log/answers.ts";
import type { LogHead } from "../log/answers.ts";
import { copyName } from "../log/copy-check.ts";
import { copyLog } from "../log/copy.ts";
import { LogFault } from "../log/log-fault.ts";
import { signedLogs } from "../log/signed-logs.ts";
import type { SignedLog } from "../log/signed-logs.ts";
import { watchLogs } from "../log/watch.ts";
import { readSeen, seenOf, writeSeen } from "../log/witness.ts";
import type { Seen } from "../log/witness.ts";
import { isSameDigest } from "#/transparency/hash.ts";
import { MeshAccessError } from "../mesh.ts";
import type { Mesh } from "../mesh.ts";
import { counted } from "../text.ts";
import type { CommandContext } from "./context.ts";
import { meshOf, option, word } from "./context.ts";

const witnessSeconds = { byDefault: 30, max: 86_400 };

/** Prints what is issued from now on, until it is stopped; exits with 1 when a log takes something back. */
export async function logWatch(context: CommandContext, given?: Mesh): Promise<number> {
  const { print } = context;
  const mesh = given ?? (await meshOf(context));
  print.note("Watching the logs: what is issued from now on. Stop with Ctrl-C.");
  try {
    for await (const { pod, from, entries } of watchLogs(mesh, context)) {
      print.lines(entries.map((entry, at) => entryLine(entry, from + at, pod, context)));
    }
    return EXIT_OK;
  } catch (error) {
    if (error instanceof LogFault) return alarmed(context, error.message);
    throw error;
  }
}

function entryLine(entry: string, index: number, pod: string, { print }: CommandContext): string {
  if (print.format === "json") return JSON.stringify({ log: pod, index, entry: JSON.parse(entry) });
  const told = JSON.parse(entry) as Readonly<Record<string, unknown>>;
  const at = new Date(Number(told["issuedAt"])).toISOString();
  const life = Math.round((Number(told["notAfter"]) - Number(told["issuedAt"])) / 1000);
  const who = `${String(told["namespace"])}/${String(told["pod"])}`;
  return `${at}  ${pod} ${index}  ${String(told["id"])}  to ${who} from ${String(told["address"])} for ${life} s`;
}

/** Brings a copy up to date, or makes one; exits with 1 when a log does not go on from it. */
export async function logCopy(context: CommandContext, given?: Mesh): Promise<number> {
  const { clock, print } = context;
  const mesh = given ?? (await meshOf(context));
  const folder = word(context, "folder");
  const results = [];
  try {
    for (const log of await signedLogs(mesh, clock.now())) {
      const { before, size } = await copyLog(mesh, log, folder);
      results.push({
        pod: log.head.pod,
        folder: path.join(folder, copyName(log.origin)),
        before,
        size,
      });
    }
  } catch (error) {
    if (error instanceof LogFault) return alarmed(context, error.message);
    throw error;
  }
  if (print.format === "json") print.json({ logs: results });
  else {
    const { paint, glyphs } = print.style;
    const lines = results.map(({ pod, folder: at, before, size }) => {
      const more = counted(size - before, "entry", "entries");
      return `${paint.green(glyphs.passed)} ${pod}: ${more} more, ${size} in all, in ${at}`;
    });
    print.lines(lines);
  }
  return EXIT_OK;
}

/**
 * Looks at the logs again and again, or once, and remembers; exits with 1 when one of them was rewound,
 * forked, or is gone.
 */
export async function logWitness(context: CommandContext, given?: Mesh): Promise<number> {
  const { clock, signal } = context;
  const mesh = given ?? (await meshOf(context));
  const file = word(context, "file");
  const everyMs = interval(context) * 1000;
  for (;;) {
    const seen = new Map(readSeen(file));
    try {
      await witnessOnce(context, mesh, seen);
    } catch (error) {
      if (error instanceof LogFault) {
        writeFileSync(`${file}.alarm`, error.evidence.join("\n"));
        return alarmed(context, `${error.message}; the evidence is in ${file}.alarm`);
      }
      if (!(error instanceof MeshError) || context.options["once"] === true) throw error;
      context.print.note(messageOf(error));
    }
    writeSeen(file, seen.values());
    if (context.options["once"] === true || signal.aborted) return EXIT_OK;
    await sleep(clock, everyMs, signal);
    if (signal.aborted) return EXIT_OK;
  }
}

async function witnessOnce(
  { clock, print }: CommandContext,
  mesh: Mesh,
  seen: Map<string, Seen>,
): Promise<void> {
  const logs = await signedLogs(mesh, clock.now());
  const { paint, glyphs } = print.style;
  for (const log of logs) {
    const { head, signed, origin } = log;
    const before = seen.get(origin);
    if (before !== undefined) await provenGrowth(mesh, before, log);
    seen.set(origin, seenOf(head, signed, origin, clock.now()));
    const since = before === undefined ? "seen for the first time" : `${before.size} of then in it`;
    if (print.format === "json")
      print.json({ origin, size: head.size, before: before?.size ?? null });
    else print.lines([`${paint.green(glyphs.passed)} ${origin}: ${head.size} entries, ${since}`]);
  }
  const gone = [...seen.keys()].filter((origin) => logs.every((log) => log.origin !== origin));
  if (gone.length === 0) return;
  throw new MeshAccessError("not_found", `Cannot see ${gone.join(", ")}: nobody tells of it now`, {
    next: "A replica that restarts comes back; one whose volume is lost does not, and its log with it",
  });
}

/** Throws LogFault unless the head that was seen is the beginning of the one that is signed now. */
async function provenGrowth(mesh: Mesh, before: Seen, { head, signed }: SignedLog): Promise<void> {
  const evidence = [before.checkpoint, signed.checkpoint];
  const { origin } = before;
  if (head.size < before.size) {
    throw new LogFault(`${origin} had ${before.size} entries and has ${head.size}`, evidence);
  }
  const sizes = { before: String(before.size), size: String(head.size) };
  const query = new URLSearchParams({ pod: head.pod, ...sizes }).toString();
  const answers = await mesh.inspect(`/v1/log/consistency?${query}`);
  if (isProven(answers, before, head)) return;
  throw new LogFault(`${origin} does not begin with the ${before.size} entries of then`, evidence);
}

/** The proof that is told is held against both heads as they were signed. */
function isProven(answers: readonly unknown[], before: Seen, head: LogHead): boolean {
  const growth = readGrowth(answers, { ...before, pod: head.pod });
  const isThatHead = growth?.now.size === head.size && isSameDigest(growth.now.root, head.root);
  return isThatHead && growth.isProven;
}

function interval(context: CommandContext): number {
  const given = option(context, "every");
  if (given === null) return witnessSeconds.byDefault;
  const seconds = /^\d{1,5}$/.test(given) ? Number(given) : 0;
  if (seconds >= 1 && seconds <= witnessSeconds.max) return seconds;
  throw new MeshAccessError("unreadable", `Cannot look every "${given}"`, {
    next: `Give whole seconds, 1 to ${witnessSeconds.max}`,
  });
}

export function alarmed({ print }: CommandContext, fault: string): number {
  const { paint, glyphs } = print.style;
  if (print.format === "json") print.json({ isGood: false, fault });
  else print.lines([`${paint.red(glyphs.failed)} ${fault}`]);
  return EXIT_FAILED;
}
