// The head of an HTTP/1.1 response for a caller, from one that came over HTTP/2.
import { kindSet } from "../http1/field-kind.ts";
import { BODY } from "../http1/framing.ts";
import type { BodyKind } from "../http1/framing.ts";
import { METHOD } from "../http1/method.ts";
import type { MethodCode } from "../http1/method.ts";
import { CODE } from "../http1/refusal.ts";
import { FORBIDDEN, KIND } from "../http2/field-kind.ts";
import type { ResponseFields } from "../http2/response-fields.ts";
import { close as closeHead, open, put } from "./head-writer.ts";
import { reasonPhrase } from "./reason-phrase.ts";
import { agrees, fieldBytesMax, putFields } from "./received-fields.ts";

const DROPPED: number =
  (1 << KIND.status) | kindSet(KIND.identity, KIND.http2Settings, KIND.server, KIND.te);
/** Where no length may be said at all (RFC 9110 section 8.6). */
const DROPPED_WITH_LENGTH: number = DROPPED | kindSet(KIND.contentLength);

const CHUNKED = Buffer.from("transfer-encoding: chunked\r\n", "latin1");
const EMPTY = Buffer.from("content-length: 0\r\n", "latin1");
const CLOSE = Buffer.from("connection: close\r\n", "latin1");
/** What is put behind the fields. */
const PUT_BYTES_MAX = 64;

const NO_CONTENT = 204;
const NOT_MODIFIED = 304;
const STATUS_MAX = 999;

/** Status line and Server of each status that was sent so far. */
const starts: (Buffer | null)[] = Array.from({ length: STATUS_MAX + 1 }, () => null);

/**
 * How the content of a response is framed in HTTP/1 for a caller of version 1.`minor`: by the length that its head
 * announced (the codec sees to it that so much comes), else in chunks, or by the end of the connection for a caller
 * that knows none. `last`: the head is the whole response.
 */
export function responseBody(response: ResponseFields, minor: 0 | 1, last: boolean): BodyKind {
  const { contentBytes } = response;
  if (last || contentBytes === 0) return BODY.none;
  if (contentBytes > 0) return BODY.length;
  return minor === 0 ? BODY.close : BODY.chunked;
}

/**
 * The head of the answer to `method`, content framed as `body` (of responseBody) says; or a refusal code: the caller
 * is answered 502. `closes`: it says that the connection ends, as it always does where that ends the content. An
 * interim one (1xx) is never for callers of HTTP/1.0.
 */
export function responseHead1(
  response: ResponseFields,
  method: MethodCode,
  body: BodyKind,
  closes: boolean,
): Buffer | number {
  const { fields, status } = response;
  // The codec refuses them; whatever else may call this, they end here.
  if ((fields.seen & FORBIDDEN) !== 0) return CODE.bad_connection;
  if (fields.has(KIND.contentLength) && !agrees(fields, body)) return CODE.ambiguous_framing;
  const start = (starts[status] ??= startOf(status));
  open(start.length + fieldBytesMax(fields) + PUT_BYTES_MAX);
  put(start);
  const lengthless = status < 200 || status === NO_CONTENT;
  putFields(fields, lengthless ? DROPPED_WITH_LENGTH : DROPPED);
  if (body === BODY.chunked) put(CHUNKED);
  else if (body === BODY.none && !lengthless && endsEarly(response, method)) put(EMPTY);
  if (closes || body === BODY.close) put(CLOSE);
  return closeHead();
}

/** Content could follow and does not, which only a length can say. */
function endsEarly({ fields, status }: ResponseFields, method: MethodCode): boolean {
  if (status === NOT_MODIFIED || method === METHOD.head) return false;
  return !fields.has(KIND.contentLength);
}

function startOf(status: number): Buffer {
  return Buffer.from(`HTTP/1.1 ${status} ${reasonPhrase(status)}\r\nserver: signet\r\n`, "latin1");
}
