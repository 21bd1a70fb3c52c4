// Certificates in files as a list: one line each, authorities among them.
import { fingerprint } from "#/identity/bundle.ts";
import { inspectChain } from "#/identity/inspect.ts";
import type { Style } from "../paint.ts";
import { formatTable } from "../table.ts";
import { formatDuration, formatTime, printable } from "../text.ts";
import { readChain, readFile } from "./source.ts";

export interface FileRow {
  readonly file: string;
  /** Its place in the file, from 0. */
  readonly index: number;
  /** SPIFFE ID; else the other names, else the subject. */
  readonly name: string;
  readonly isAuthority: boolean;
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly der: Uint8Array;
}

/** Throws MeshAccessError for what is no certificate. */
export function readFileRows(file: string): readonly FileRow[] {
  return readChain(readFile(file), `file ${file}`).map((der, index) => {
    const { id, certificates } = inspectChain([der], { now: 0, roots: null, trustDomain: null });
    const { names, subject, isAuthority, serial, notBefore, notAfter } = certificates[0]!;
    const name = id ?? (names.join(", ") || subject || "no name");
    return { file, index, name, isAuthority, serial, notBefore, notAfter, der };
  });
}

export function filesText(
  rows: readonly FileRow[],
  now: number,
  width: number,
  style: Style,
): readonly string[] {
  if (rows.length === 0) return ["no certificate is there that is asked for"];
  const { paint } = style;
  const columns = [
    { title: "NAME" },
    { title: "KIND" },
    { title: "SERIAL", shrinks: true },
    { title: "FILE", shrinks: true },
    { title: "ENDS" },
    { title: "LEFT", alignRight: true },
  ];
  const cells = rows.map(({ name, isAuthority, serial, file, index, notAfter }) => {
    const left = notAfter - now;
    return [
      printable(name),
      isAuthority ? "authority" : "leaf",
      serial,
      `${printable(file)} #${index}`,
      formatTime(notAfter),
      left > 0 ? formatDuration(left) : paint.red("ended"),
    ];
  });
  return formatTable(columns, cells, width, style);
}

export function filesJson({ der, notBefore, notAfter, ...rest }: FileRow): object {
  return {
    ...rest,
    notBefore: new Date(notBefore).toISOString(),
    notAfter: new Date(notAfter).toISOString(),
    fingerprint: fingerprint(der),
  };
}
