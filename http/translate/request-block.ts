// The head of an HTTP/1 request as an HTTP/2 header block (RFC 9113 section 8.3.1): what was understood of it, and
// nothing that belongs to the connection it came on. What is left out is what http1/writer.ts leaves out, and what
// HTTP/2 says in another way (Host, Transfer-Encoding).
import { KIND, STRIPPED, kindSet } from "../http1/field-kind.ts";
import { FIELD_STRIDE } from "../http1/field-index.ts";
import { METHOD, methodName } from "../http1/method.ts";
import { CODE } from "../http1/refusal.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { TARGET_BYTES_MAX } from "../http1/request-line.ts";
import { KIND as HTTP2_KIND } from "../http2/field-kind.ts";
import { fieldLine } from "../http2/field-line.ts";
import type { FieldLine } from "../http2/field-line.ts";
import type { HpackEncoder } from "../http2/hpack-encoder.ts";
import { LINE_NONE } from "../http2/line-number.ts";
import { lineOf, listRefusal, putFields } from "./field-lines.ts";
import type { LineCache } from "./line-cache.ts";

const DROPPED: number =
  STRIPPED | kindSet(KIND.host, KIND.transferEncoding, KIND.connectionKeepAlive);
/** A client of HTTP/1.0 cannot wait for 100: what it expects counts for nothing (RFC 9110 section 10.1.1). */
const DROPPED_OF_1_0: number = DROPPED | kindSet(KIND.expect);

/** Pseudo-header fields but :authority, which comes instead of Host. */
const PSEUDO_FIELDS = 3;
/** Entries of HPACK's static table. */
const STATIC_GET = 2;
const STATIC_POST = 3;
const STATIC_ROOT = 4;
const STATIC_SCHEME_HTTP = 6;
/** Names there. */
const STATIC_METHOD = 2;
const STATIC_PATH = 4;

const METHOD_NAME = Buffer.from(":method", "latin1");
const PATH_NAME = Buffer.from(":path", "latin1");
/** Begins with the name; a target is put behind it. */
const pathBytes = Buffer.concat([PATH_NAME, Buffer.alloc(TARGET_BYTES_MAX)]);

const methodLines: readonly FieldLine[] = Object.values(METHOD).map((code) =>
  fieldLine(":method", methodName(code)),
);

/**
 * Why a request that HTTP/1 allows cannot go over HTTP/2: a refusal code, or 0. To be asked before an encoder is
 * begun, since what was begun must be sent. `added`: the lines that will be given to encodeRequest.
 */
export function requestRefusal(head: RequestHead, added: readonly FieldLine[]): number {
  if (head.method === METHOD.connect) return CODE.connect_refused;
  return listRefusal(head.end - head.start, head.fields.count, PSEUDO_FIELDS, added);
}

/**
 * Puts a complete head that has no requestRefusal into `encoder`, which was begun, and then the lines of `added`.
 * An upgrade is not passed on, also that of a WebSocket (websocket-block.ts).
 */
export function encodeRequest(
  encoder: HpackEncoder,
  cache: LineCache,
  head: RequestHead,
  added: readonly FieldLine[],
): void {
  cache.begin();
  putMethod(encoder, head);
  putTarget(encoder, cache, head);
  const dropped = head.minor === 0 ? DROPPED_OF_1_0 : DROPPED;
  putFields(encoder, cache, head.fields, head.buffer, dropped);
  for (const line of added) encoder.line(line);
}

function putMethod(encoder: HpackEncoder, head: RequestHead): void {
  const { method } = head;
  if (method === METHOD.get) encoder.indexed(STATIC_GET);
  else if (method === METHOD.post) encoder.indexed(STATIC_POST);
  else if (method !== METHOD.other) encoder.line(methodLines[method]!);
  else {
    const bytes = Buffer.concat([METHOD_NAME, Buffer.from(head.methodText, "latin1")]);
    const nameEnd = METHOD_NAME.length;
    const kind = HTTP2_KIND.method;
    encoder.field(bytes, 0, nameEnd, nameEnd, bytes.length, kind, STATIC_METHOD, LINE_NONE, 0);
  }
}

/** :scheme, :authority and :path. */
export function putTarget(encoder: HpackEncoder, cache: LineCache, head: RequestHead): void {
  encoder.indexed(STATIC_SCHEME_HTTP);
  putAuthority(encoder, cache, head);
  const { line, newTarget } = head;
  if (newTarget === null) {
    putPath(encoder, cache, head.buffer, line.targetStart, line.targetEnd);
  } else putPath(encoder, cache, newTarget, 0, newTarget.length);
}

/** The host as it was judged, known by the Host line that it was read from. */
function putAuthority(encoder: HpackEncoder, cache: LineCache, head: RequestHead): void {
  const { fields, buffer } = head;
  const slot = fields.first[KIND.host]! * FIELD_STRIDE;
  const start = fields.offsets[slot]!;
  const end = fields.offsets[slot + 3]!;
  const known = cache.find(buffer, start, end);
  if (known !== null) {
    encoder.line(known);
    return;
  }
  const line = fieldLine(":authority", head.host.normal);
  if (cache.cameBefore) cache.remember(buffer, start, end, line);
  encoder.line(line);
}

/** A target begins with `/` or is `*`, which no line of a head does: it is told from them in the cache. */
function putPath(
  encoder: HpackEncoder,
  cache: LineCache,
  target: Buffer,
  start: number,
  end: number,
): void {
  if (end - start === 1 && target[start] === 0x2f) {
    encoder.indexed(STATIC_ROOT);
    return;
  }
  const known = cache.find(target, start, end);
  if (known !== null) {
    encoder.line(known);
    return;
  }
  const kind = HTTP2_KIND.path;
  const nameEnd = PATH_NAME.length;
  const pathEnd = nameEnd + target.copy(pathBytes, nameEnd, start, end);
  if (!cache.cameBefore) {
    encoder.field(pathBytes, 0, nameEnd, nameEnd, pathEnd, kind, STATIC_PATH, LINE_NONE, 0);
    return;
  }
  const line = lineOf(pathBytes, 0, nameEnd, nameEnd, pathEnd, kind, STATIC_PATH);
  cache.remember(target, start, end, line);
  encoder.line(line);
}
