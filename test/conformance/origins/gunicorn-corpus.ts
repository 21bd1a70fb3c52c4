// The requests of gunicorn's own tests, from its source distribution: files in a notation of their own
// (line ends as \r\n, bytes as \xHH, true line ends mean nothing).
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { understand } from "../../kit/understood.ts";

export interface CorpusRequest {
  readonly name: string;
  readonly bytes: Buffer;
}

/**
 * `folder` is gunicorn's; `kind` what it thinks of them. Many have no Host, for which a sidecar looks no
 * further: of those there is another one that has it.
 */
export function gunicornCorpus(
  folder: string,
  kind: "valid" | "invalid",
): readonly CorpusRequest[] {
  const requests = path.join(folder, "tests/requests", kind);
  return readdirSync(requests)
    .filter((name) => name.endsWith(".http"))
    .toSorted()
    .flatMap((file) => {
      const name = `${kind}/${file.slice(0, -".http".length)}`;
      const bytes = unescaped(readFileSync(path.join(requests, file)));
      const { end } = understand(bytes);
      const lacksHost = typeof end !== "string" && end.reason === "host_missing";
      const withHost = { name: `${name} with a Host`, bytes: withHosts(bytes) };
      return lacksHost ? [{ name, bytes }, withHost] : [{ name, bytes }];
    });
}

/** A Host in every head that has none. */
function withHosts(bytes: Buffer): Buffer {
  const heads = /(HTTP\/1\.[01]\r\n)((?:[^\r\n]+\r\n)*\r\n)/g;
  const text = bytes
    .toString("latin1")
    .replaceAll(heads, (all, line: string, rest: string) =>
      /^host:/im.test(rest) ? all : `${line}Host: b\r\n${rest}`,
    );
  return Buffer.from(text, "latin1");
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
