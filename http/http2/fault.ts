// Why a connection or a stream was ended by us: the peer is told an error code, log and metric the reason.
import { ERROR } from "./error-code.ts";
import type { ErrorCode } from "./error-code.ts";

/** What ends the whole connection. */
export type ConnectionFault =
  | "bad_preface"
  | "bad_frame"
  | "bad_header_block"
  | "header_bomb"
  | "header_block_too_long"
  | "continuation_expected"
  | "continuation_unexpected"
  | "continuation_flood"
  | "settings_expected"
  | "bad_settings"
  | "stream_idle"
  | "stream_closed"
  | "bad_stream_id"
  | "push_refused"
  | "self_dependency"
  | "window_exceeded"
  | "window_overflow"
  | "window_increment_zero"
  | "reset_flood"
  | "idle_frame_flood"
  | "reply_flood";

/** What ends one stream: its message is malformed (RFC 9113 section 8.1.1), or it broke a rule of streams. */
export type StreamFault =
  | "bad_field_name"
  | "bad_field_value"
  | "bad_pseudo_fields"
  | "connection_field"
  | "bad_te"
  | "bad_method"
  | "bad_scheme"
  | "bad_path"
  | "host_missing"
  | "host_repeated"
  | "bad_host"
  | "authority_mismatch"
  | "bad_connect"
  | "bad_status"
  | "bad_content_length"
  | "content_length_repeated"
  | "content_length_mismatch"
  | "content_not_allowed"
  | "trailer_refused"
  | "trailers_without_end"
  | "interim_with_end"
  | "header_list_too_large"
  | "stream_closed"
  | "window_exceeded"
  | "window_overflow"
  | "window_increment_zero"
  | "bad_priority"
  | "self_dependency"
  | "too_many_streams"
  | "send_stalled";

const connectionCodes: Readonly<Record<ConnectionFault, ErrorCode>> = {
  bad_preface: ERROR.protocolError,
  bad_frame: ERROR.protocolError,
  bad_header_block: ERROR.compressionError,
  header_bomb: ERROR.enhanceYourCalm,
  header_block_too_long: ERROR.enhanceYourCalm,
  continuation_expected: ERROR.protocolError,
  continuation_unexpected: ERROR.protocolError,
  continuation_flood: ERROR.enhanceYourCalm,
  settings_expected: ERROR.protocolError,
  bad_settings: ERROR.protocolError,
  stream_idle: ERROR.protocolError,
  stream_closed: ERROR.streamClosed,
  bad_stream_id: ERROR.protocolError,
  push_refused: ERROR.protocolError,
  self_dependency: ERROR.protocolError,
  window_exceeded: ERROR.flowControlError,
  window_overflow: ERROR.flowControlError,
  window_increment_zero: ERROR.protocolError,
  reset_flood: ERROR.enhanceYourCalm,
  idle_frame_flood: ERROR.enhanceYourCalm,
  reply_flood: ERROR.enhanceYourCalm,
};

/** Those that are no PROTOCOL_ERROR, which a malformed message is. */
const streamCodes: Readonly<Partial<Record<StreamFault, ErrorCode>>> = {
  header_list_too_large: ERROR.enhanceYourCalm,
  stream_closed: ERROR.streamClosed,
  window_exceeded: ERROR.flowControlError,
  window_overflow: ERROR.flowControlError,
  bad_priority: ERROR.frameSizeError,
  too_many_streams: ERROR.refusedStream,
  send_stalled: ERROR.cancel,
};

/** The code that GOAWAY says. */
export function connectionErrorOf(fault: ConnectionFault): ErrorCode {
  return connectionCodes[fault];
}

/** The code that RST_STREAM says. */
export function streamErrorOf(fault: StreamFault): ErrorCode {
  return streamCodes[fault] ?? ERROR.protocolError;
}
