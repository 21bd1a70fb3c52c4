// One hostile message (or what follows it, too), and what it is made of. Texts have one character for each
// byte.

export interface HostileCase {
  readonly name: string;
  /** Number of the attack case that it belongs to. */
  readonly attack: number;
  readonly bytes: string;
  /** Requests in it that are to be passed on; 0: it is refused, or never complete. */
  readonly passes: number;
}

/** A target that nobody may ever ask for; in what is smuggled. */
export const marker = "/marker";
export const smuggled: string = `GET ${marker} HTTP/1.1\r\nHost: b\r\n\r\n`;

export type Row = readonly [name: string, bytes: string, passes?: number];

/** Rows of one attack; without a number of passes they are refused. */
export function casesOf(attack: number, rows: readonly Row[]): readonly HostileCase[] {
  return rows.map(([name, bytes, passes = 0]) => ({ name, attack, bytes, passes }));
}

export function post(...fields: readonly string[]): string {
  return ["POST /sent HTTP/1.1", "Host: b", ...fields, "", ""].join("\r\n");
}

export function get(...fields: readonly string[]): string {
  return ["GET /sent HTTP/1.1", "Host: b", ...fields, "", ""].join("\r\n");
}

export function length(bytes: string): string {
  return `Content-Length: ${bytes.length}`;
}

export const chunked = "Transfer-Encoding: chunked";

/** One chunk. */
export function chunk(content: string, extension = ""): string {
  return `${content.length.toString(16)}${extension}\r\n${content}\r\n`;
}

export const lastChunk = "0\r\n\r\n";
