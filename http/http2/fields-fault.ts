// The rules that all header and trailer sections of HTTP/2 share (RFC 9113 section 8.2).
import { FOLD, ascii, equalsIgnoringCase } from "../http1/bytes.ts";
import { readContentLength } from "../http1/framing.ts";
import { TRAILER_NAME_BYTES_MAX, isTrailerAllowed } from "../http1/trailers.ts";
import type { StreamFault } from "./fault.ts";
import { FIELD_STRIDE, FLAG } from "./field-block.ts";
import type { FieldBlock } from "./field-block.ts";
import { FORBIDDEN, KIND, isPseudo } from "./field-kind.ts";

const TRAILERS = ascii("trailers");
const GRPC = ascii("grpc-");

/** What is wrong with any section's fields, or null. */
export function fieldsFault(fields: FieldBlock): StreamFault | null {
  if (fields.tooLarge) return "header_list_too_large";
  if ((fields.flags & FLAG.badName) !== 0) return "bad_field_name";
  if ((fields.flags & FLAG.badValue) !== 0) return "bad_field_value";
  if (fields.pseudoLate) return "bad_pseudo_fields";
  if ((fields.seen & FORBIDDEN) !== 0) return "connection_field";
  return fields.has(KIND.te) && !asksForTrailers(fields) ? "bad_te" : null;
}

/** `TE: trailers`, once, and nothing else (RFC 9113 section 8.2.2). */
function asksForTrailers(fields: FieldBlock): boolean {
  if ((fields.repeated & (1 << KIND.te)) !== 0) return false;
  const field = fields.first[KIND.te]!;
  return equalsIgnoringCase(
    fields.bytes,
    fields.valueStart(field),
    fields.valueEnd(field),
    TRAILERS,
  );
}

/** The bytes that Content-Length announces, -1 where there is none, or what is wrong with it. */
export function contentLengthOf(fields: FieldBlock): number | StreamFault {
  if (!fields.has(KIND.contentLength)) return -1;
  if ((fields.repeated & (1 << KIND.contentLength)) !== 0) return "content_length_repeated";
  const field = fields.first[KIND.contentLength]!;
  const length = readContentLength(fields.bytes, fields.valueStart(field), fields.valueEnd(field));
  return length < 0 ? "bad_content_length" : length;
}

/** What is wrong with a trailer section, or null. */
export function trailersFault(fields: FieldBlock): StreamFault | null {
  const fault = fieldsFault(fields);
  if (fault !== null) return fault;
  const { records, bytes, count } = fields;
  for (let field = 0; field < count; field += 1) {
    const record = field * FIELD_STRIDE;
    const start = records[record]!;
    const end = records[record + 1]!;
    if (isPseudo(records[record + 4]!)) return "bad_pseudo_fields";
    if (isGrpc(bytes, start, end)) continue;
    if (end - start > TRAILER_NAME_BYTES_MAX) return "trailer_refused";
    const name = bytes.subarray(start, end).map((byte) => FOLD[byte]!);
    if (!isTrailerAllowed(name, name.length)) return "trailer_refused";
  }
  return null;
}

/** No field of gRPC's says anything of the message: most trailers are these. */
function isGrpc(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < GRPC.length) return false;
  for (let at = 0; at < GRPC.length; at += 1) if (bytes[start + at] !== GRPC[at]) return false;
  return true;
}
