// `signet log show`: what is in the logs.
import { EXIT_OK } from "../exit-codes.ts";
import { readEntryTexts, readHeads, readInclusion } from "../log/answers.ts";
import type { LogHead } from "../log/answers.ts";
import { MeshAccessError } from "../mesh.ts";
import type { Mesh } from "../mesh.ts";
import { formatFields, formatTable } from "../table.ts";
import type { CommandContext } from "./context.ts";
import { meshOf, option, word } from "./context.ts";

const limits = { byDefault: 20, max: 1000 };

interface Shown {
  readonly log: string;
  readonly index: number;
  /** As it was hashed. */
  readonly entry: Readonly<Record<string, unknown>>;
}

/** `given`: tests have a mesh of their own. */
export async function logShow(context: CommandContext, given?: Mesh): Promise<number> {
  const { print } = context;
  const mesh = given ?? (await meshOf(context));
  const serial = word(context, "serial").toLowerCase();
  if (serial !== "") {
    const one = await entryOf(mesh, serial);
    if (print.format === "json") print.json(one);
    else print.lines(entryText(one, context));
    return EXIT_OK;
  }
  const heads = readHeads(await mesh.inspect("/v1/log/head"));
  const limit = limitOf(context);
  const all = await Promise.all(heads.map((head) => newest(mesh, head, head.first, limit)));
  const shown = all.flat().toSorted((one, other) => issuedAt(other) - issuedAt(one));
  if (print.format === "json") print.json({ entries: shown });
  else print.lines(entriesText(shown, context));
  return EXIT_OK;
}

async function newest(
  mesh: Mesh,
  { pod, size }: LogHead,
  first: number,
  limit: number,
): Promise<readonly Shown[]> {
  const from = Math.max(first, size - limit);
  const query = new URLSearchParams({ pod, from: String(from), to: String(size) }).toString();
  const texts = readEntryTexts(await mesh.inspect(`/v1/log/entries?${query}`)) ?? [];
  return texts.map((text, at) => ({ log: pod, index: from + at, entry: parsed(text) }));
}

async function entryOf(mesh: Mesh, serial: string): Promise<Shown> {
  const found = /^[0-9a-f]{1,40}$/.test(serial)
    ? readInclusion(await mesh.inspect(`/v1/log/inclusion?serial=${serial}`))
    : null;
  if (found !== null) return { log: found.pod, index: found.index, entry: parsed(found.entry) };
  throw new MeshAccessError("not_found", `No log has a certificate with the serial "${serial}"`, {
    next: "See the serials with signet certs list --all -o json; what ended long ago may be pruned",
  });
}

function parsed(text: string): Shown["entry"] {
  return JSON.parse(text) as Shown["entry"];
}

function issuedAt({ entry }: Shown): number {
  return Number(entry["issuedAt"]);
}

function entriesText(shown: readonly Shown[], { print }: CommandContext): readonly string[] {
  const columns = [
    { title: "ISSUED" },
    { title: "IDENTITY", shrinks: true },
    { title: "TO", shrinks: true },
    { title: "FROM" },
    { title: "SERIAL" },
    { title: "LOG OF", shrinks: true },
    { title: "ENTRY", alignRight: true },
  ];
  const rows = shown.map(({ log, index, entry }) => [
    time(entry["issuedAt"]),
    text(entry["id"]),
    `${text(entry["namespace"])}/${text(entry["pod"])}`,
    text(entry["address"]),
    text(entry["serial"]),
    log,
    String(index),
  ]);
  return formatTable(columns, rows, print.width(), print.style);
}

const times: ReadonlySet<string> = new Set(["issuedAt", "notBefore", "notAfter"]);

/** Every field but the certificate itself, in the order in which it was hashed. */
function entryText({ log, index, entry }: Shown, { print }: CommandContext): readonly string[] {
  const fields = Object.entries(entry)
    .filter(([name]) => name !== "certificate")
    .map(([name, value]): [string, string] => [name, times.has(name) ? time(value) : text(value)]);
  return formatFields([["log of", log], ["entry", String(index)], ...fields], print.style);
}

function time(value: unknown): string {
  return typeof value === "number" ? new Date(value).toISOString() : "-";
}

function text(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) || "-" : "-";
}

function limitOf(context: CommandContext): number {
  const given = option(context, "limit");
  if (given === null) return limits.byDefault;
  const count = /^\d{1,4}$/.test(given) ? Number(given) : 0;
  if (count >= 1 && count <= limits.max) return count;
  throw new MeshAccessError("unreadable", `Cannot show "${given}" entries`, {
    next: `Give a whole number, 1 to ${limits.max}`,
  });
}
