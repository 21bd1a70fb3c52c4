// The requests of gunicorn's own tests, from its source distribution: files in a notation of their own
// (line ends as \r\n, bytes as \xHH, true line ends mean nothing).
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";

export interface CorpusRequest {
  readonly name: string;
  readonly bytes: Buffer;
}

/** `folder` is gunicorn's; `kind` what it thinks of them. */
export function gunicornCorpus(
  folder: string,
  kind: "valid" | "invalid",
): readonly CorpusRequest[] {
  const requests = path.join(folder, "tests/requests", kind);
  return readdirSync(requests)
    .filter((name) => name.endsWith(".http"))
    .toSorted()
    .map((name) => ({
      name: `${kind}/${name.slice(0, -".http".length)}`,
      bytes: unescaped(readFileSync(path.join(requests, name))),
    }));
}

function unescaped(file: Buffer): Buffer {
  const text = file.toString("latin1").replaceAll("\n", "");
  const known: Readonly<Record<string, string>> = { r: "\r", n: "\n", t: "\t", "0": "\0" };
  const bytes = text.replaceAll(/\\(?:x([0-9a-fA-F]{2})|([rnt0]))/g, (_all, hex, letter) =>
    hex === undefined
      ? known[letter as string]!
      : String.fromCharCode(Number.parseInt(hex as string, 16)),
  );
  if (bytes.includes("\\")) throw new Error(`Cannot read a request of gunicorn's: ${text}`);
  return Buffer.from(bytes, "latin1");
}
