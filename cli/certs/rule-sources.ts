// Where each rule that a certificate is checked against is written, so that a person can read it up.
// X509-SVID: the SPIFFE X.509-SVID specification; RFC 5280: certificates and paths; RFC 8446: TLS 1.3.
// What is narrower than those is the mesh's own.

const sources: Readonly<Record<string, string>> = {
  leaf_is_authority: "X509-SVID 4.1",
  leaf_key_usage_invalid: "X509-SVID 4.3",
  leaf_extended_key_usage_invalid: "X509-SVID 4.4",
  leaf_key_unsupported: "the mesh's own",
  leaf_names_invalid: "X509-SVID 2, RFC 5280 4.2.1.6",
  chain_trust_domain_foreign: "the mesh's own",
  chain_not_rooted: "X509-SVID 5.1",
  chain_issuer_mismatch: "RFC 5280 6.1.3 (a)(4)",
  chain_issuer_not_authority: "X509-SVID 3.2, RFC 5280 6.1.4 (k)(n)",
  chain_path_too_long: "RFC 5280 6.1.4 (l)(m)",
  chain_name_not_permitted: "X509-SVID 4.2, RFC 5280 6.1.3 (b)(c)",
  chain_not_yet_valid: "RFC 5280 6.1.3 (a)(2)",
  chain_expired: "RFC 5280 6.1.3 (a)(2)",
  chain_signature_invalid: "RFC 5280 6.1.3 (a)(1)",
  tls_failed: "the mesh's own, RFC 8446",
  session_resumed: "the mesh's own",
  peer_certificate_untrusted: "X509-SVID 5.1",
  peer_identity_unexpected: "the mesh's own",
};

/** Empty for a code of a later version. */
export function sourceOfRule(code: string): string {
  return Object.hasOwn(sources, code) ? sources[code]! : "";
}
