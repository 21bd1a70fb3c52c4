// Puts the fields that came over HTTP/2 into an HTTP/1 head: a line for each, but one for all cookies, which HTTP/2
// may have in pieces (RFC 9113 section 8.2.3).
import { BODY } from "../http1/framing.ts";
import type { BodyKind } from "../http1/framing.ts";
import { FIELD_STRIDE } from "../http2/field-block.ts";
import type { FieldBlock } from "../http2/field-block.ts";
import { KIND } from "../http2/field-kind.ts";
import { put, putField, putLineEnd, putValue } from "./head-writer.ts";

const COOKIE = Buffer.from("cookie: ", "latin1");
const COOKIE_SEPARATOR = Buffer.from("; ", "latin1");

/** Counted in `listBytes` for each field, and the bytes of them that a line needs: `: ` and CRLF. */
const COUNTED_BYTES = 32;
const LINE_BYTES = 4;

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
  const { records, bytes, count } = fields;
  const cookies = (fields.repeated & (1 << KIND.cookie)) !== 0;
  for (let field = 0; field < count; field += 1) {
    const record = field * FIELD_STRIDE;
    const kind = records[record + 4]!;
    if (kind !== KIND.other) {
      if (((drop >>> kind) & 1) === 1) continue;
      if (kind === KIND.cookie && cookies) {
        if (field === fields.first[kind]) putCookies(fields);
        continue;
      }
    }
    putField(
      bytes,
      records[record]!,
      records[record + 1]!,
      records[record + 2]!,
      records[record + 3]!,
    );
  }
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
