// The head of an HTTP/1.1 request for an application, from one that came over HTTP/2. The codec has refused by then
// what is malformed in HTTP/2 (http2/request-fields.ts, with the rules of HTTP/1 for method, path and host); what is
// no fault there and would be one in HTTP/1 is refused here.
import { ascii, equalsIgnoringCase } from "../http1/bytes.ts";
import { kindSet } from "../http1/field-kind.ts";
import { BODY } from "../http1/framing.ts";
import type { BodyKind } from "../http1/framing.ts";
import { METHOD } from "../http1/method.ts";
import { CODE } from "../http1/refusal.ts";
import type { Lines } from "../http1/writer.ts";
import { FORBIDDEN, KIND } from "../http2/field-kind.ts";
import type { RequestFields } from "../http2/request-fields.ts";
import {
  close,
  open,
  put,
  putHost,
  putLineEnd,
  putMethod,
  putSpace,
  putTarget,
} from "./head-writer.ts";
import { agrees, fieldBytesMax, putFields } from "./received-fields.ts";

const DROPPED: number =
  (1 << KIND.method) |
  (1 << KIND.scheme) |
  (1 << KIND.authority) |
  (1 << KIND.path) |
  kindSet(KIND.host, KIND.identity, KIND.http2Settings);

const CONTINUE = ascii("100-continue");
const PREFACE_METHOD = ascii("pri");
const VERSION_AND_HOST = Buffer.from(" HTTP/1.1\r\nhost: ", "latin1");
const CHUNKED = Buffer.from("transfer-encoding: chunked\r\n", "latin1");
const EMPTY = Buffer.from("content-length: 0\r\n", "latin1");
/** What is put besides what was received. */
const PUT_BYTES_MAX = 128;

/**
 * How the content of a request is framed in HTTP/1: by the length that its head announced (the codec sees to it that
 * so much comes), else in chunks. `last`: the head is the whole request.
 */
export function requestBody(request: RequestFields, last: boolean): BodyKind {
  if (last || request.contentLength === 0) return BODY.none;
  return request.contentLength > 0 ? BODY.length : BODY.chunked;
}

/**
 * The head, with the lines of `added` behind it and content framed as `body` (of requestBody) says; or a refusal
 * code: the request is answered with its status and not sent.
 */
export function requestHead1(
  request: RequestFields,
  body: BodyKind,
  added: Lines | null,
): Buffer | number {
  const { fields } = request;
  const refusal = requestRefusal1(request, body);
  if (refusal !== 0) return refusal;
  open(fieldBytesMax(fields) + PUT_BYTES_MAX + (added?.length ?? 0));
  putRequestLine(request);
  putFields(fields, DROPPED);
  if (body === BODY.chunked) put(CHUNKED);
  else if (body === BODY.none && request.contentLength < 0 && meansContent(request)) put(EMPTY);
  if (added !== null) put(added);
  return close();
}

/** What a strict reader of HTTP/1 would refuse: a code, or 0. */
function requestRefusal1(request: RequestFields, body: BodyKind): number {
  const { fields, method } = request;
  if (method === METHOD.connect) return CODE.connect_refused;
  if (method === METHOD.other && isValue(request, KIND.method, PREFACE_METHOD)) {
    return CODE.http2_preface;
  }
  // The codec refuses them; whatever else may call this, they end here.
  if ((fields.seen & FORBIDDEN) !== 0) return CODE.bad_connection;
  if (fields.has(KIND.contentLength) && !agrees(fields, body)) return CODE.ambiguous_framing;
  if (!fields.has(KIND.expect)) return 0;
  const once = (fields.repeated & (1 << KIND.expect)) === 0;
  return once && isValue(request, KIND.expect, CONTINUE) ? 0 : CODE.expectation_unknown;
}

/** Whether the first field of this kind says `lower`, in any case. */
function isValue({ fields }: RequestFields, kind: number, lower: Uint8Array): boolean {
  const field = fields.first[kind]!;
  return equalsIgnoringCase(fields.bytes, fields.valueStart(field), fields.valueEnd(field), lower);
}

/** A server may wait for content where its length is not said (RFC 9110 section 8.6). */
function meansContent({ method }: RequestFields): boolean {
  return method === METHOD.post || method === METHOD.put || method === METHOD.patch;
}

function putRequestLine(request: RequestFields): void {
  const { fields, newPath } = request;
  const { bytes } = fields;
  const method = fields.first[KIND.method]!;
  putMethod(bytes, fields.valueStart(method), fields.valueEnd(method));
  putSpace();
  if (newPath === null) {
    const path = fields.first[KIND.path]!;
    putTarget(bytes, fields.valueStart(path), fields.valueEnd(path));
  } else putTarget(newPath, 0, newPath.length);
  put(VERSION_AND_HOST);
  const { rewritten } = request.host;
  if (rewritten === null) {
    const host = fields.first[fields.has(KIND.authority) ? KIND.authority : KIND.host]!;
    putHost(bytes, fields.valueStart(host), fields.valueEnd(host));
  } else putHost(rewritten, 0, rewritten.length);
  putLineEnd();
}
