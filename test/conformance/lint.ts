// Hands certificates to the lint program and reads what it found.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

export interface Finding {
  readonly lint: string;
  /** Whose rule it is, as zlint names it. */
  readonly source: string;
  readonly status: "warn" | "error" | "fatal";
  readonly count: number;
  readonly detail: string;
  /** DER in base64 of the first certificate in which it was found. */
  readonly first: string;
}

export interface Report {
  readonly certificates: number;
  /** How many lints were asked. */
  readonly lints: number;
  readonly findings: readonly Finding[];
}

/** `program` is certificate-lint; `excluded` are sources of lints that are left out. */
export async function lint(
  program: string,
  excluded: readonly string[],
  certificates: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<Report> {
  const child = spawn(program, [excluded.join(",")], { stdio: ["pipe", "pipe", "inherit"] });
  const said = text(child.stdout);
  const ended = once(child, "close") as Promise<[number | null]>;
  // A program that ends early is judged by its exit code.
  child.stdin.on("error", () => {});
  for await (const der of certificates) {
    if (child.exitCode !== null) break;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(der.length);
    child.stdin.write(length);
    if (!child.stdin.write(der)) await Promise.race([once(child.stdin, "drain"), ended]);
  }
  child.stdin.end();
  const [code] = await ended;
  if (code !== 0) throw new Error(`certificate-lint ended with ${code}`);
  return JSON.parse(await said) as Report;
}
