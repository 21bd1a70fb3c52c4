// The end of a chunked HTTP/1 message whose trailers came over HTTP/2. What may be a trailer is decided by the same
// rule in both (http1/trailers.ts): a recipient may merge trailers into the head.
import { FOLD } from "../http1/bytes.ts";
import { TRAILER_BYTES_MAX } from "../http1/chunked.ts";
import { CODE } from "../http1/refusal.ts";
import { TRAILER_NAME_BYTES_MAX, isTrailerAllowed } from "../http1/trailers.ts";
import { FIELD_STRIDE } from "../http2/field-block.ts";
import type { FieldBlock } from "../http2/field-block.ts";
import { close, open, put } from "./head-writer.ts";
import { fieldBytesMax, putFields } from "./received-fields.ts";

const ZERO_CHUNK = Buffer.from("0\r\n", "latin1");
const BLANK_LINE_BYTES = 2;
const foldedName = new Uint8Array(TRAILER_NAME_BYTES_MAX);

/**
 * The last chunk with the trailers and the blank line; or a refusal code, when HTTP/1 must not carry them: then the
 * message is not to be ended in order.
 */
export function lastChunkWith(trailers: FieldBlock): Buffer | number {
  const linesMax = fieldBytesMax(trailers);
  if (linesMax + BLANK_LINE_BYTES > TRAILER_BYTES_MAX) return CODE.trailers_too_long;
  const { records, bytes, count } = trailers;
  for (let field = 0; field < count; field += 1) {
    const start = records[field * FIELD_STRIDE]!;
    const length = records[field * FIELD_STRIDE + 1]! - start;
    if (length > TRAILER_NAME_BYTES_MAX) return CODE.trailer_refused;
    for (let at = 0; at < length; at += 1) foldedName[at] = FOLD[bytes[start + at]!]!;
    if (!isTrailerAllowed(foldedName, length)) return CODE.trailer_refused;
  }
  open(ZERO_CHUNK.length + linesMax + BLANK_LINE_BYTES);
  put(ZERO_CHUNK);
  putFields(trailers, 0);
  return close();
}
