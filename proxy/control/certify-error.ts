// Why the sidecar got no certificate. One closed union for the folder: log and metric use the same
// words; what the controller answers has the words of RpcError instead.
import { MeshError } from "#/lib/errors.ts";

/**
 * bundle_*, token_*: what the pod was given cannot be used. answer_*: what came back is not what was
 * asked for. clock_*: it is, but by this node's clock it has not begun, or has ended already.
 */
export type CertifyErrorCode =
  | "bundle_unreadable"
  | "bundle_not_pinned"
  | "token_unreadable"
  | "answer_late"
  | "answer_invalid"
  | "answer_foreign_key"
  | "answer_foreign_identity"
  | "clock_behind"
  | "clock_ahead";

export class CertifyError extends MeshError<CertifyErrorCode> {}
