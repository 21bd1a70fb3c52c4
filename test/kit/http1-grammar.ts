// HTTP/1 messages read by their grammar alone (RFC 9110, 9112), as regular expressions: a reader that shares
// nothing with the sidecar's, and takes nothing that the grammar does not have. One character for each byte.

export interface GrammarMessage {
  /** Request line or status line, without its end. */
  readonly startLine: string;
  /** Names and values in turn. */
  readonly fields: readonly string[];
  readonly body: string;
  /** What follows the message. */
  readonly rest: string;
}

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const visible = "[\\x21-\\x7e\\x80-\\xff]";
const requestLine = new RegExp(`^${token} [\\x21-\\x7e]+ HTTP/1\\.[01]\\r\\n`);
const statusLine = new RegExp(
  `^HTTP/1\\.[01] [1-9][0-9]{2}(?: [\\t\\x20-\\x7e\\x80-\\xff]*)?\\r\\n`,
);
const fieldLine = new RegExp(
  `^(${token}):[ \\t]*((?:${visible}(?:[\\t\\x20-\\x7e\\x80-\\xff]*${visible})?)?)[ \\t]*\\r\\n`,
);
const quoted =
  '"(?:[\\t\\x20\\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"';
const chunkLine = new RegExp(`^([0-9A-Fa-f]+)(?:;${token}(?:=(?:${token}|${quoted}))?)*\\r\\n`);

/** The request that `text` begins with; null when it is none, or not whole. */
export function readRequest(text: string): GrammarMessage | null {
  const head = readHead(text, requestLine);
  if (head === null) return null;
  const body = readBody(head.fields, head.rest, "");
  return body === null ? null : { ...head, ...body };
}

/** The answer to a GET that `text` is. */
export function readResponse(text: string): GrammarMessage | null {
  const head = readHead(text, statusLine);
  if (head === null) return null;
  const status = Number(head.startLine.slice(9, 12));
  const isEmpty = status < 200 || status === 204 || status === 304;
  const body = isEmpty
    ? { body: "", rest: head.rest }
    : readBody(head.fields, head.rest, head.rest);
  return body === null ? null : { ...head, ...body };
}

function readHead(text: string, start: RegExp): Omit<GrammarMessage, "body"> | null {
  const line = start.exec(text)?.[0];
  if (line === undefined) return null;
  const section = readFields(text.slice(line.length));
  return section === null ? null : { startLine: line.slice(0, -2), ...section };
}

function readFields(text: string): { readonly fields: string[]; readonly rest: string } | null {
  const fields: string[] = [];
  let rest = text;
  while (!rest.startsWith("\r\n")) {
    const line = fieldLine.exec(rest);
    if (line === null) return null;
    fields.push(line[1]!, line[2]!);
    rest = rest.slice(line[0].length);
  }
  return { fields, rest: rest.slice(2) };
}

/** RFC 9112 section 6.3, where a message with two framings is none. `unframed`: the body without any. */
function readBody(
  fields: readonly string[],
  text: string,
  unframed: string,
): Pick<GrammarMessage, "body" | "rest"> | null {
  const valuesOf = (name: string): readonly string[] =>
    fields.filter((_, at) => at % 2 === 1 && fields[at - 1]!.toLowerCase() === name);
  const lengths = valuesOf("content-length");
  const codings = valuesOf("transfer-encoding");
  if (lengths.length + codings.length > 1) return null;
  if (codings.length === 1) {
    return codings[0]!.toLowerCase() === "chunked" ? readChunks(text) : null;
  }
  if (lengths.length === 0) return { body: unframed, rest: text.slice(unframed.length) };
  const length = /^[0-9]+$/.test(lengths[0]!) ? Number(lengths[0]) : Number.POSITIVE_INFINITY;
  return length > text.length ? null : { body: text.slice(0, length), rest: text.slice(length) };
}

function readChunks(text: string): Pick<GrammarMessage, "body" | "rest"> | null {
  let body = "";
  let rest = text;
  for (;;) {
    const line = chunkLine.exec(rest);
    if (line === null) return null;
    const size = Number.parseInt(line[1]!, 16);
    rest = rest.slice(line[0].length);
    if (size === 0) break;
    if (!(rest.slice(size, size + 2) === "\r\n")) return null;
    body += rest.slice(0, size);
    rest = rest.slice(size + 2);
  }
  const trailers = readFields(rest);
  return trailers === null ? null : { body, rest: trailers.rest };
}
