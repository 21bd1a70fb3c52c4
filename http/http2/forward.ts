// Writes the head of a message that is sent on, from what was understood of the received one: normalised path and
// authority, one way to say the host, no claims of identity. What needs none of that goes by its lines' numbers.
import { kindSet } from "../http1/field-kind.ts";
import { KIND, isPseudo } from "./field-kind.ts";
import { FIELD_STRIDE } from "./field-block.ts";
import type { FieldBlock } from "./field-block.ts";
import type { FieldLine } from "./field-line.ts";
import type { HpackEncoder } from "./hpack-encoder.ts";
import { LINE_UNNUMBERED } from "./line-number.ts";
import type { RequestFields } from "./request-fields.ts";
import type { ResponseFields } from "./response-fields.ts";

const PATH = Buffer.from(":path", "latin1");
const AUTHORITY = Buffer.from(":authority", "latin1");
const STATIC_PATH = 4;
const STATIC_AUTHORITY = 1;

/** TE says `trailers` and nothing else by then, and goes on: gRPC asks for it. */
const STRIPPED = kindSet(KIND.identity, KIND.http2Settings);
const STRIPPED_FROM_REQUEST = STRIPPED | (1 << KIND.host);
const STRIPPED_FROM_RESPONSE = STRIPPED | kindSet(KIND.server);

/** Puts the head of `request` and then `lines` into `encoder`, which was begun. */
export function forwardRequest(
  encoder: HpackEncoder,
  request: RequestFields,
  lines: readonly FieldLine[],
): void {
  const { fields, host, newPath } = request;
  const plain = newPath === null && host.rewritten === null && fields.has(KIND.authority);
  if (plain) encoder.forward(fields, STRIPPED_FROM_REQUEST);
  else rewriteRequest(encoder, request, fields);
  for (const line of lines) encoder.line(line);
}

function rewriteRequest(encoder: HpackEncoder, request: RequestFields, fields: FieldBlock): void {
  const { newPath, host } = request;
  let pseudoEnd = 0;
  while (pseudoEnd < fields.count && isPseudo(kindAt(fields, pseudoEnd))) pseudoEnd += 1;
  const replaced = (1 << KIND.authority) | (newPath === null ? 0 : 1 << KIND.path);
  encoder.forward(fields, replaced, 0, pseudoEnd);
  const authority = Buffer.from(host.normal, "latin1");
  put(encoder, AUTHORITY, authority, KIND.authority, STATIC_AUTHORITY);
  if (newPath !== null) put(encoder, PATH, newPath, KIND.path, STATIC_PATH);
  encoder.forward(fields, STRIPPED_FROM_REQUEST, pseudoEnd);
}

function kindAt(fields: FieldBlock, field: number): number {
  return fields.records[field * FIELD_STRIDE + 4]!;
}

function put(
  encoder: HpackEncoder,
  name: Buffer,
  value: Buffer,
  kind: number,
  staticName: number,
): void {
  const bytes = Buffer.concat([name, value]);
  const nameEnd = name.length;
  encoder.field(bytes, 0, nameEnd, nameEnd, bytes.length, kind, staticName, LINE_UNNUMBERED, 0);
}

/** Puts the head of `response`, without Server, and then `lines` into `encoder`, which was begun. */
export function forwardResponse(
  encoder: HpackEncoder,
  response: ResponseFields,
  lines: readonly FieldLine[],
): void {
  encoder.forward(response.fields, STRIPPED_FROM_RESPONSE);
  for (const line of lines) encoder.line(line);
}

/** Puts trailers that were judged already into `encoder`, which was begun. */
export function forwardTrailers(encoder: HpackEncoder, fields: FieldBlock): void {
  encoder.forward(fields, STRIPPED);
}
