// Why something is not an identity. One closed union for the folder: logs, metrics and `signet
// explain` use the same words.
import { MeshError } from "#/lib/errors.ts";

export type IdentityErrorCode =
  | "id_invalid"
  | "id_not_workload"
  | "trust_domain_invalid"
  | "pem_invalid"
  | "pins_unmatched"
  | "csr_too_large"
  | "csr_malformed"
  | "csr_key_unsupported"
  | "csr_signature_invalid"
  | "certificate_malformed"
  | "certificate_version_unsupported"
  | "extension_critical_unknown"
  | "leaf_is_authority"
  | "leaf_key_unsupported"
  | "leaf_key_usage_invalid"
  | "leaf_extended_key_usage_invalid"
  | "leaf_names_invalid"
  | "chain_length_invalid"
  | "chain_not_rooted"
  | "chain_issuer_mismatch"
  | "chain_issuer_not_authority"
  | "chain_path_too_long"
  | "chain_name_not_permitted"
  | "chain_signature_invalid"
  | "chain_not_yet_valid"
  | "chain_expired"
  | "chain_trust_domain_foreign"
  | "jwt_malformed"
  | "jwt_header_invalid"
  | "jwt_key_unknown"
  | "jwt_signature_invalid"
  | "jwt_claims_invalid"
  | "jwt_audience_wrong"
  | "jwt_expired"
  | "bundle_malformed"
  | "bundle_trust_domain_foreign"
  | "bundle_root_invalid";

export class IdentityError extends MeshError<IdentityErrorCode> {}
