// Why the sidecar got no certificate. One closed union: log and metric use the same
// words; what the controller answers has the words of RpcError instead.
import { MeshError } from "#/lib/errors.ts";

/**
 * answer_*: what came back is not what was asked for. clock_*: it is, but by this node's clock it has not
 * begun, or has ended already. What the pod was given and cannot be used is a BootstrapError.
 */
export type CertifyErrorCode =
  | "answer_late"
  | "answer_invalid"
  | "answer_not_logged"
  | "answer_foreign_key"
  | "answer_foreign_identity"
  | "clock_behind"
  | "clock_ahead";

export class CertifyError extends MeshError<CertifyErrorCode> {}
