// The head of an HTTP/1 response as an HTTP/2 header block (RFC 9113 section 8.3.2), interim ones too.
import { KIND, STRIPPED, kindSet } from "../http1/field-kind.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { fieldLine } from "../http2/field-line.ts";
import type { FieldLine } from "../http2/field-line.ts";
import type { HpackEncoder } from "../http2/hpack-encoder.ts";
import { listRefusal, putFields } from "./field-lines.ts";
import type { LineCache } from "./line-cache.ts";

const DROPPED: number =
  STRIPPED |
  kindSet(KIND.transferEncoding, KIND.connectionKeepAlive, KIND.server, KIND.serverSignet);

const STATIC_OK = 8;
const STATUS_MAX = 999;

/** :status of each status that was sent so far. */
const statusLines: (FieldLine | null)[] = Array.from({ length: STATUS_MAX + 1 }, () => null);

/**
 * Why a response that HTTP/1 allows cannot go over HTTP/2: a refusal code, or 0. To be asked before an encoder is
 * begun, since what was begun must be sent. `added`: the lines that will be given to encodeResponse.
 */
export function responseRefusal(head: ResponseHead, added: readonly FieldLine[]): number {
  return listRefusal(head.end - head.start, head.fields.count, 1, added);
}

/**
 * Puts a complete head that has no responseRefusal into `encoder`, which was begun, and then the lines of `added`
 * (Server is left out: say it there). Not for 101, which HTTP/2 does not have.
 */
export function encodeResponse(
  encoder: HpackEncoder,
  cache: LineCache,
  head: ResponseHead,
  added: readonly FieldLine[],
): void {
  cache.begin();
  putStatus(encoder, head.status);
  putFields(encoder, cache, head.fields, head.buffer, DROPPED);
  for (const line of added) encoder.line(line);
}

/** :status alone, for whoever makes a response himself. */
export function putStatus(encoder: HpackEncoder, status: number): void {
  if (status === 200) {
    encoder.indexed(STATIC_OK);
    return;
  }
  const line = statusLines[status] ?? fieldLine(":status", String(status));
  statusLines[status] = line;
  encoder.line(line);
}
