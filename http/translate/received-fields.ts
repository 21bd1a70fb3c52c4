// Puts the fields that came over HTTP/2 into an HTTP/1 head: a line for each, but one for all cookies, which HTTP/2
// may have in pieces (RFC 9113 section 8.2.3).
import { BODY } from "../http1/framing.ts";
import type { BodyKind } from "../http1/framing.ts";
import { BLOCK_FIELDS_MAX } from "../http2/limits.ts";
import { FIELD_STRIDE } from "../http2/field-block.ts";
import type { FieldBlock } from "../http2/field-block.ts";
import { KIND, isSecret } from "../http2/field-kind.ts";
import {
  put,
  putField,
  putFirst,
  putLineEnd,
  putValue,
  written,
  writtenSince,
} from "./head-writer.ts";
import { LineRun, LineRuns } from "./line-runs.ts";

const COOKIE = Buffer.from("cookie: ", "latin1");
const COOKIE_SEPARATOR = Buffer.from("; ", "latin1");

/** Counted in `listBytes` for each field, and the bytes of them that a line needs: `: ` and CRLF. */
const COUNTED_BYTES = 32;
const LINE_BYTES = 4;

const runs = new LineRuns();
/** Where the lines of a run that is being written end. */
const runEnds = new Int32Array(BLOCK_FIELDS_MAX);

/** The most bytes that `putFields` puts of `fields`. */
export function fieldBytesMax(fields: FieldBlock): number {
  return fields.listBytes - fields.count * (COUNTED_BYTES - LINE_BYTES);
}

/** Whether the Content-Length that is there can stand beside content that is framed as `body` says. */
export function agrees(fields: FieldBlock, body: BodyKind): boolean {
  const once = (fields.repeated & (1 << KIND.contentLength)) === 0;
  return once && body !== BODY.chunked && body !== BODY.close;
}

/** Puts all fields but those of the kinds in `drop`, in their order. */
export function putFields(fields: FieldBlock, drop: number): void {
  const { records, lines, count } = fields;
  let field = 0;
  // Pseudo-header fields come first and are left out: what begins a run is the first line that tells heads apart.
  while (field < count && ((drop >>> records[field * FIELD_STRIDE + 4]!) & 1) === 1) field += 1;
  while (field < count) {
    if (isInRun(fields, field)) {
      const line = lines[field]!;
      const run = runs.find(line, drop);
      if (run !== null) {
        const matched = run.match(lines, field, count);
        putFirst(run.bytes, run.ends[matched - 1]!);
        field += matched;
        // The line that differs is written by itself: what follows it may be known again.
        if (matched === run.numbers.length || field === count) continue;
      } else if (runs.wants(line)) {
        field = putRun(fields, field, drop);
        continue;
      }
    }
    putOne(fields, field, drop);
    field += 1;
  }
}

/** Whether the line has a number, and may be kept. */
function isInRun(fields: FieldBlock, field: number): boolean {
  return fields.lines[field]! > 0 && !isSecret(fields.records[field * FIELD_STRIDE + 4]!);
}

/** Puts the lines from `from` on that may be in a run, and keeps them as one; returns the field behind it. */
function putRun(fields: FieldBlock, from: number, drop: number): number {
  const start = written();
  let field = from;
  while (field < fields.count && isInRun(fields, field)) {
    putOne(fields, field, drop);
    runEnds[field - from] = written() - start;
    field += 1;
  }
  const bytes = writtenSince(start);
  if (bytes !== null) {
    const numbers = fields.lines.slice(from, field);
    runs.keep(new LineRun(drop, numbers, runEnds.slice(0, field - from), bytes));
  }
  return field;
}

function putOne(fields: FieldBlock, field: number, drop: number): void {
  const { records } = fields;
  const record = field * FIELD_STRIDE;
  const kind = records[record + 4]!;
  if (kind !== KIND.other) {
    if (((drop >>> kind) & 1) === 1) return;
    if (kind === KIND.cookie && (fields.repeated & (1 << kind)) !== 0) {
      if (field === fields.first[kind]) putCookies(fields);
      return;
    }
  }
  putField(
    fields.bytes,
    records[record]!,
    records[record + 1]!,
    records[record + 2]!,
    records[record + 3]!,
  );
}

/** One that is empty says nothing, and would leave a blank at the end of the line. */
function putCookies(fields: FieldBlock): void {
  const { records, bytes, count } = fields;
  let separator: Buffer = COOKIE;
  for (let field = fields.first[KIND.cookie]!; field < count; field += 1) {
    if (records[field * FIELD_STRIDE + 4] !== KIND.cookie) continue;
    const start = fields.valueStart(field);
    const end = fields.valueEnd(field);
    if (start === end) continue;
    put(separator);
    putValue(bytes, start, end);
    separator = COOKIE_SEPARATOR;
  }
  // All of them were empty.
  if (separator === COOKIE) put(COOKIE);
  putLineEnd();
}
