// Messages given to the translation between HTTP/1.1 and HTTP/2, and what the next hop reads of what it makes.
import { METHOD, methodOf } from "#/http/http1/method.ts";
import type { MethodCode } from "#/http/http1/method.ts";
import { refusalOf } from "#/http/http1/refusal.ts";
import { RequestHead } from "#/http/http1/request-head.ts";
import { ResponseHead } from "#/http/http1/response-head.ts";
import type { FieldBlock } from "#/http/http2/field-block.ts";
import { KIND } from "#/http/http2/field-kind.ts";
import { contentLengthOf } from "#/http/http2/fields-fault.ts";
import { HpackDecoder } from "#/http/http2/hpack-decoder.ts";
import { HpackEncoder } from "#/http/http2/hpack-encoder.ts";
import { RequestFields } from "#/http/http2/request-fields.ts";
import { ResponseFields } from "#/http/http2/response-fields.ts";
import { encodeFields, fieldsOf } from "./header-fields.ts";
import type { Field } from "./header-fields.ts";
import { bytesOf } from "./vectors.ts";

/** A head without its blank line; null when it is refused or is not all of `text`. */
export function requestOf(text: string): RequestHead | null {
  const head = new RequestHead();
  const bytes = bytesOf(text);
  return head.parse(bytes, 0, bytes.length) === bytes.length ? head : null;
}

export function responseOf(text: string, method: MethodCode = METHOD.get): ResponseHead | null {
  const head = new ResponseHead();
  head.reset(method, true);
  const bytes = bytesOf(text);
  return head.parse(bytes, 0, bytes.length) === bytes.length ? head : null;
}

/** What a decoder makes of these fields, however bad they are. */
export function blockOf(fields: readonly Field[]): FieldBlock {
  const decoder = new HpackDecoder();
  const block = encodeFields(new HpackEncoder(), fields);
  decoder.decode(block, 0, block.length);
  return decoder.block;
}

/** A request as the codec reads it, or its fault. */
export function judgedRequest(fields: readonly Field[], last: boolean): RequestFields | string {
  const request = new RequestFields();
  return request.read(blockOf(fields), last, true) ?? request;
}

/** A response to `method` as the codec reads it, or its fault. */
export function judgedResponse(
  fields: readonly Field[],
  last: boolean,
  method: MethodCode = METHOD.get,
): ResponseFields | string {
  const response = new ResponseFields();
  return response.read(blockOf(fields), last, method) ?? response;
}

/**
 * A request as if the codec had no rules: what it would refuse goes on to whoever writes it. Null without a method,
 * a path or a host that can be read.
 */
export function unjudgedRequest(fields: readonly Field[]): RequestFields | null {
  const block = blockOf(fields);
  const request = new RequestFields();
  request.fields = block;
  if (!block.has(KIND.method) || !block.has(KIND.path)) return null;
  const method = block.first[KIND.method]!;
  request.method = methodOf(block.bytes, block.valueStart(method), block.valueEnd(method));
  const length = contentLengthOf(block);
  request.contentLength = typeof length === "number" ? length : -1;
  const kind = block.has(KIND.authority) ? KIND.authority : KIND.host;
  if (!block.has(kind)) return null;
  const host = block.first[kind]!;
  const code = request.host.read(block.bytes, block.valueStart(host), block.valueEnd(host));
  return code === 0 ? request : null;
}

/** What a decoder reads of what `write` puts into a new encoder. */
export function fieldsWritten(write: (encoder: HpackEncoder) => void): Field[] {
  const encoder = new HpackEncoder();
  encoder.begin();
  write(encoder);
  const decoder = new HpackDecoder();
  if (decoder.decode(encoder.bytes, 0, encoder.length) !== 0) throw new Error("No header block");
  return fieldsOf(decoder.block);
}

/** The lines of a head; of a refusal its reason. */
export function linesOrReason(head: Buffer | number): readonly string[] | string {
  if (typeof head === "number") return refusalOf(head).reason;
  const text = head.toString("latin1");
  if (!text.endsWith("\r\n\r\n")) throw new Error("No blank line at the end");
  return text.slice(0, -4).split("\r\n");
}
