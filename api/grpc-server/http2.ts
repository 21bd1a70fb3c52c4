// The HTTP/2 that gRPC stands on here: our own codec. The one file that says where it lies.
export { ascii } from "#/proxy/http1/bytes.ts";
export { METHOD } from "#/proxy/http1/method.ts";
export { Http2Connection } from "#/proxy/http2/connection.ts";
export { ERROR } from "#/proxy/http2/error-code.ts";
export { fieldLine } from "#/proxy/http2/field-line.ts";
export type { FieldLine } from "#/proxy/http2/field-line.ts";
export type { HpackEncoder } from "#/proxy/http2/hpack-encoder.ts";
export { defaultConnectionLimits } from "#/proxy/http2/limits.ts";
export type { ConnectionLimits } from "#/proxy/http2/limits.ts";
export type { RequestFields } from "#/proxy/http2/request-fields.ts";
export type { ConnectionOwner } from "#/proxy/http2/session.ts";
export type { Http2Stream, StreamListener } from "#/proxy/http2/stream.ts";
export { readFast } from "#/proxy/net/fast-read.ts";
