// The HTTP/2 that gRPC stands on here: our own codec. The one file that says where it lies.
export { ascii } from "#/http/http1/bytes.ts";
export { METHOD } from "#/http/http1/method.ts";
export { Http2Connection } from "#/http/http2/connection.ts";
export { ERROR } from "#/http/http2/error-code.ts";
export { fieldLine } from "#/http/http2/field-line.ts";
export type { FieldLine } from "#/http/http2/field-line.ts";
export type { HpackEncoder } from "#/http/http2/hpack-encoder.ts";
export { defaultConnectionLimits } from "#/http/http2/limits.ts";
export type { ConnectionLimits } from "#/http/http2/limits.ts";
export type { RequestFields } from "#/http/http2/request-fields.ts";
export type { ConnectionOwner } from "#/http/http2/session.ts";
export type { Http2Stream, StreamListener } from "#/http/http2/stream.ts";
export { readFast } from "#/lib/fast-read.ts";
