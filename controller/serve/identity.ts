// Identity.Issue: the CA behind gRPC. Every refusal of the CA becomes a status here; its reason goes to
// the log, the caller gets the status alone.
import type { IssueRequest, IssueResponse } from "#/api/identity.ts";
import { RpcError } from "#/api/rpc-error.ts";
import type { RpcErrorCode } from "#/api/rpc-error.ts";
import type { Caller } from "#/api/rpc.ts";
import { CaError } from "#/ca/ca-error.ts";
import type { CaErrorCode } from "#/ca/ca-error.ts";
import type { CertificateAuthority } from "#/ca/service.ts";

export async function issue(
  authority: CertificateAuthority,
  request: IssueRequest,
  caller: Caller,
): Promise<IssueResponse> {
  try {
    return await authority.certify({ ...request, peerAddress: caller.peer.address });
  } catch (error) {
    if (!(error instanceof CaError)) throw error;
    throw new RpcError(rpcCodeOf(error.code), error.message, { cause: error });
  }
}

/** Total: a new code of the CA does not compile until it has its status. */
function rpcCodeOf(code: CaErrorCode): RpcErrorCode {
  return statuses[code];
}

const statuses: Readonly<Record<CaErrorCode, RpcErrorCode>> = {
  lifetime_out_of_range: "invalid_argument",
  issuer_expired: "unavailable",
  authority_invalid: "unavailable",
  token_invalid: "unauthenticated",
  token_expired: "unauthenticated",
  token_audience_wrong: "unauthenticated",
  token_issuer_wrong: "unauthenticated",
  token_review_failed: "unavailable",
  token_not_pod_bound: "unauthenticated",
  pod_unknown: "permission_denied",
  pod_not_live: "permission_denied",
  pod_uid_mismatch: "permission_denied",
  service_account_mismatch: "permission_denied",
  address_mismatch: "permission_denied",
  csr_invalid: "invalid_argument",
  csr_asks_for_identity: "permission_denied",
  csr_asks_for_names: "permission_denied",
  csr_asks_for_authority: "permission_denied",
  csr_asks_for_extensions: "permission_denied",
  key_reused: "permission_denied",
  issued_unsound: "internal",
  ledger_full: "resource_exhausted",
  ledger_failed: "unavailable",
};
