// Why the authority refuses. One closed union: the ledger of refusals (log and metric) and `signet
// explain` use these words; the one who asked is told nothing.
import { MeshError } from "#/lib/errors.ts";

export type CaErrorCode =
  | "lifetime_out_of_range"
  | "issuer_expired"
  | "authority_invalid"
  | "authority_sealed"
  | "rotation_refused"
  | "token_invalid"
  | "token_expired"
  | "token_audience_wrong"
  | "token_issuer_wrong"
  | "token_review_failed"
  | "token_not_pod_bound"
  | "pod_unknown"
  | "pod_not_live"
  | "pod_uid_mismatch"
  | "service_account_mismatch"
  | "address_mismatch"
  | "identity_suspended"
  | "csr_invalid"
  | "csr_asks_for_identity"
  | "csr_asks_for_names"
  | "csr_asks_for_authority"
  | "csr_asks_for_extensions"
  | "csr_not_bound"
  | "key_reused"
  | "serving_not_granted"
  | "audience_invalid"
  | "issued_unsound"
  | "ledger_full"
  | "ledger_failed";

export class CaError extends MeshError<CaErrorCode> {}
