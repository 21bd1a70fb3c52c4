// Puts the fields that came over HTTP/2 into an HTTP/1 head: a line for each, but one for all cookies, which HTTP/2
// may have in pieces (RFC 9113 section 8.2.3).
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

function putCookies(fields: FieldBlock): void {
  const { records, bytes, count } = fields;
  const first = fields.first[KIND.cookie]!;
  put(COOKIE);
  for (let field = first; field < count; field += 1) {
    if (records[field * FIELD_STRIDE + 4] !== KIND.cookie) continue;
    if (field !== first) put(COOKIE_SEPARATOR);
    putValue(bytes, fields.valueStart(field), fields.valueEnd(field));
  }
  putLineEnd();
}
