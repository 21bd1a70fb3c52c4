// Identity.Issue and IssueJwt: the CA behind gRPC. Every refusal of the CA becomes a status here; its reason goes to
// the log, the caller gets the status alone. Before the
// world is listed no pod is known, and nobody is refused for that.
import type {
  IssueJwtRequest,
  IssueJwtResponse,
  IssueRequest,
  IssueResponse,
} from "#/api/identity.ts";
import { RpcError } from "#/api/rpc-error.ts";
import type { RpcErrorCode } from "#/api/rpc-error.ts";
import type { Caller } from "#/api/rpc.ts";
import { CaError } from "#/ca/ca-error.ts";
import type { CaErrorCode } from "#/ca/ca-error.ts";
import type { JwtAuthority } from "#/ca/jwt-authority.ts";
import type { CertificateAuthority } from "#/ca/service.ts";

export function issue(
  authority: Pick<CertificateAuthority, "certify">,
  isWorldListed: () => boolean,
  request: IssueRequest,
  caller: Caller,
): Promise<IssueResponse> {
  const peerAddress = caller.peer.address;
  return answered(isWorldListed, () => authority.certify({ ...request, peerAddress }));
}

export function issueJwt(
  authority: Pick<JwtAuthority, "issue">,
  isWorldListed: () => boolean,
  request: IssueJwtRequest,
  caller: Caller,
): Promise<IssueJwtResponse> {
  return answered(isWorldListed, () => authority.issue(request, caller.peer.address));
}

async function answered<Answer>(
  isWorldListed: () => boolean,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  if (!isWorldListed()) {
    throw new RpcError("unavailable", "Cannot issue: the world is not listed yet");
  }
  try {
    return await ask();
  } catch (thrown) {
    if (!(thrown instanceof CaError)) throw thrown;
    throw new RpcError(statuses[thrown.code], thrown.message, { cause: thrown });
  }
}

/** Total: a new code of the CA does not compile until it has its status. */
const statuses: Readonly<Record<CaErrorCode, RpcErrorCode>> = {
  lifetime_out_of_range: "invalid_argument",
  issuer_expired: "unavailable",
  authority_invalid: "unavailable",
  authority_sealed: "unavailable",
  rotation_refused: "unavailable",
  token_invalid: "unauthenticated",
  token_expired: "unauthenticated",
  token_audience_wrong: "unauthenticated",
  token_issuer_wrong: "unauthenticated",
  token_not_pod_bound: "unauthenticated",
  token_review_failed: "unavailable",
  pod_unknown: "permission_denied",
  pod_not_live: "permission_denied",
  pod_uid_mismatch: "permission_denied",
  service_account_mismatch: "permission_denied",
  address_mismatch: "permission_denied",
  identity_suspended: "permission_denied",
  csr_invalid: "invalid_argument",
  csr_asks_for_identity: "permission_denied",
  csr_asks_for_names: "permission_denied",
  csr_asks_for_authority: "permission_denied",
  csr_asks_for_extensions: "permission_denied",
  csr_not_bound: "permission_denied",
  key_reused: "permission_denied",
  serving_not_granted: "permission_denied",
  audience_invalid: "invalid_argument",
  issued_unsound: "internal",
  ledger_full: "resource_exhausted",
  ledger_failed: "unavailable",
};
