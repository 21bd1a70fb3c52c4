// Why a head or a body was refused. Parsers return a negative number instead of throwing: no
// exception and no allocation on the data path, even under a flood of bad input.

/** Not a refusal: the bytes so far are good and more are needed. */
export const MORE: -1 = -1;

type RefusalStatus = 400 | 414 | 417 | 421 | 431 | 501 | 505;

export interface Refusal {
  /** What a client is answered. A refused response (from upstream) is always answered 502. */
  readonly status: RefusalStatus;
  /** For log and metric; the peer is not told. */
  readonly reason: RefusalReason;
}

export type RefusalReason =
  | "bad_start_line"
  | "bad_method"
  | "method_too_long"
  | "http2_preface"
  | "bad_target"
  | "target_too_long"
  | "bad_target_form"
  | "connect_refused"
  | "version_unsupported"
  | "bare_cr"
  | "bare_lf"
  | "control_byte"
  | "obs_fold"
  | "bad_field_name"
  | "space_before_colon"
  | "empty_field_name"
  | "head_too_long"
  | "too_many_fields"
  | "ambiguous_framing"
  | "content_length_repeated"
  | "bad_content_length"
  | "transfer_encoding_repeated"
  | "bad_transfer_encoding"
  | "transfer_coding_unknown"
  | "transfer_encoding_on_1_0"
  | "disguised_framing_name"
  | "host_missing"
  | "host_repeated"
  | "bad_host"
  | "authority_mismatch"
  | "bad_connection"
  | "connection_names_protected"
  | "expectation_unknown"
  | "bad_escape"
  | "ambiguous_path"
  | "body_not_allowed"
  | "unexpected_switch"
  | "bad_chunk_size"
  | "bad_chunk_extension"
  | "chunk_extension_too_long"
  | "bad_chunk_end"
  | "trailer_refused"
  | "trailers_too_long";

/** Reason -> status; the order gives each its code. */
const statuses: Readonly<Record<RefusalReason, RefusalStatus>> = {
  bad_start_line: 400,
  bad_method: 400,
  method_too_long: 501,
  http2_preface: 505,
  bad_target: 400,
  target_too_long: 414,
  bad_target_form: 400,
  connect_refused: 501,
  version_unsupported: 505,
  bare_cr: 400,
  bare_lf: 400,
  control_byte: 400,
  obs_fold: 400,
  bad_field_name: 400,
  space_before_colon: 400,
  empty_field_name: 400,
  head_too_long: 431,
  too_many_fields: 431,
  ambiguous_framing: 400,
  content_length_repeated: 400,
  bad_content_length: 400,
  transfer_encoding_repeated: 400,
  bad_transfer_encoding: 400,
  transfer_coding_unknown: 501,
  transfer_encoding_on_1_0: 400,
  disguised_framing_name: 400,
  host_missing: 400,
  host_repeated: 400,
  bad_host: 400,
  authority_mismatch: 400,
  bad_connection: 400,
  connection_names_protected: 400,
  expectation_unknown: 417,
  bad_escape: 400,
  ambiguous_path: 400,
  body_not_allowed: 400,
  unexpected_switch: 400,
  bad_chunk_size: 400,
  bad_chunk_extension: 400,
  chunk_extension_too_long: 400,
  bad_chunk_end: 400,
  trailer_refused: 400,
  trailers_too_long: 431,
};

const reasons = Object.keys(statuses) as RefusalReason[];
const refusals: readonly Refusal[] = reasons.map((reason) => ({
  status: statuses[reason],
  reason,
}));

/** The negative code of each reason: -2, -3, ... */
export const CODE: Readonly<Record<RefusalReason, number>> = Object.freeze(
  Object.fromEntries(reasons.map((reason, index) => [reason, -2 - index])) as Record<
    RefusalReason,
    number
  >,
);

/** What a code of `parse` or `consume` (below -1) stands for. */
export function refusalOf(code: number): Refusal {
  const refusal = refusals[-2 - code];
  if (refusal === undefined) throw new RangeError(`Cannot explain refusal code "${code}"`);
  return refusal;
}
