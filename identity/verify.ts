// Verification of a whole chain (RFC 5280 section 6), for what does not come over TLS: a sidecar looks
// so at what it was issued, the CA at its own issuer, a person at a file. On connections OpenSSL
// verifies the chain and svid.ts reads the leaf.
import { createPublicKey, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { equal, extensionOf, guarded, readCertificate } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import {
  keyUsageBit,
  readBasicConstraints,
  readExtendedKeyUsage,
  readKeyUsage,
} from "./extensions.ts";
import { IdentityError } from "./identity-error.ts";
import type { IdentityErrorCode } from "./identity-error.ts";
import { checkNameConstraints } from "./name-constraints.ts";
import { oid } from "./object-identifiers.ts";
import { trustDomainOf } from "./spiffe-id.ts";
import type { TrustDomain } from "./spiffe-id.ts";
import { leafFacts } from "./svid.ts";
import type { LeafFacts } from "./svid.ts";

/** Leaf and authorities, without the root. */
export const chainLengthMax = 5;
export const rootCountMax = 32;

export interface VerifyOptions {
  /** Identities of any other are refused. */
  readonly trustDomain: TrustDomain;
  /** What the leaf is to be used for; authorities above it must allow that. */
  readonly purpose: "client" | "server";
}

/**
 * The facts of the leaf of `chain` (DER, leaf first). Throws IdentityError unless every certificate
 * is valid at `now` (milliseconds since the Unix epoch), each is signed by the next and the last by
 * one of `roots` (DER), each authority may sign what it signed, and the leaf is an X.509-SVID.
 */
export function verifyChain(
  chain: readonly Uint8Array[],
  roots: readonly Uint8Array[],
  now: number,
  options: VerifyOptions,
): LeafFacts {
  if (chain.length === 0 || chain.length > chainLengthMax) {
    const lengths = `it has ${chain.length} certificates, not 1 to ${chainLengthMax}`;
    throw refusal("chain_length_invalid", lengths);
  }
  if (roots.length > rootCountMax) {
    throw refusal("chain_length_invalid", `there are more than ${rootCountMax} roots`);
  }
  const path = chain.map(readCertificate);
  const leaf = path[0]!;
  const facts = leafFacts(leaf);
  if (trustDomainOf(facts.id) !== options.trustDomain) {
    throw refusal("chain_trust_domain_foreign", `"${facts.id}" is not of "${options.trustDomain}"`);
  }
  path.push(findRoot(path[path.length - 1]!, roots));
  for (const certificate of path) checkTime(certificate, now);
  for (const [index, authority] of path.slice(1).entries()) {
    guarded("certificate_malformed", "certificate", () => {
      checkAuthority(authority, index, options.purpose);
      checkNameConstraints(authority, facts.id);
    });
    checkSigned(path[index]!, authority);
  }
  return facts;
}

/** The root that signed `last`; the signature is checked again with all others, here it chooses. */
function findRoot(last: Certificate, roots: readonly Uint8Array[]): Certificate {
  const named = roots
    .map(readCertificate)
    .filter((root) => equal(root.subject.whole, last.issuer.whole));
  const root = named.find((candidate) => isSignedBy(last, candidate));
  if (root !== undefined) return root;
  if (named.length > 0) {
    throw refusal(
      "chain_signature_invalid",
      `certificate ${last.serial} is not signed by its root`,
    );
  }
  throw refusal("chain_not_rooted", `no trusted root has issued certificate ${last.serial}`);
}

function checkTime({ serial, notBefore, notAfter }: Certificate, now: number): void {
  if (now < notBefore) {
    const from = new Date(notBefore).toISOString();
    throw refusal("chain_not_yet_valid", `certificate ${serial} is valid from ${from}`);
  }
  if (now >= notAfter) {
    const until = new Date(notAfter).toISOString();
    throw refusal("chain_expired", `certificate ${serial} was valid until ${until}`);
  }
}

/** `below` is the number of authorities between this one and the leaf. */
function checkAuthority(
  authority: Certificate,
  below: number,
  purpose: VerifyOptions["purpose"],
): void {
  const { serial } = authority;
  const basic = extensionOf(authority, oid.basicConstraints);
  const constraints = basic === null ? null : readBasicConstraints(basic.value);
  if (basic === null || !basic.critical || constraints?.isAuthority !== true) {
    throw refusal("chain_issuer_not_authority", `certificate ${serial} is no authority`);
  }
  if (constraints.pathLengthMax !== null && below > constraints.pathLengthMax) {
    throw refusal("chain_path_too_long", `authority ${serial} allows fewer authorities below it`);
  }
  const usage = extensionOf(authority, oid.keyUsage);
  if (usage === null || (readKeyUsage(usage.value) & keyUsageBit.keyCertSign) === 0) {
    throw refusal("chain_issuer_not_authority", `authority ${serial} may not sign certificates`);
  }
  const extended = extensionOf(authority, oid.extendedKeyUsage);
  const needed = purpose === "client" ? oid.clientAuth : oid.serverAuth;
  if (extended !== null && !readExtendedKeyUsage(extended.value).includes(needed)) {
    throw refusal("chain_issuer_not_authority", `authority ${serial} may not sign for ${purpose}s`);
  }
}

function checkSigned(certificate: Certificate, authority: Certificate): void {
  if (!equal(certificate.issuer.whole, authority.subject.whole)) {
    throw refusal(
      "chain_issuer_mismatch",
      `certificate ${certificate.serial} names another issuer than ${authority.serial}`,
    );
  }
  if (isSignedBy(certificate, authority)) return;
  throw refusal(
    "chain_signature_invalid",
    `certificate ${certificate.serial} is not signed by authority ${authority.serial}`,
  );
}

/** What may sign; SHA-1 and MD5 have no place, nor has a curve that we have no use for. */
const algorithms: ReadonlyMap<string, { readonly digest: string; readonly keyType: "ec" | "rsa" }> =
  new Map([
    [oid.ecdsaSha256, { digest: "sha256", keyType: "ec" }],
    [oid.ecdsaSha384, { digest: "sha384", keyType: "ec" }],
    [oid.rsaSha256, { digest: "sha256", keyType: "rsa" }],
    [oid.rsaSha384, { digest: "sha384", keyType: "rsa" }],
  ]);
const rsaBitsMin = 2048;

function isSignedBy(certificate: Certificate, authority: Certificate): boolean {
  const algorithm = algorithms.get(certificate.signatureAlgorithm);
  if (algorithm === undefined) return false;
  try {
    const key = createPublicKey({
      key: Buffer.from(authority.publicKey.der),
      format: "der",
      type: "spki",
    });
    if (key.asymmetricKeyType !== algorithm.keyType || !isStrong(key, authority)) return false;
    return verify(algorithm.digest, certificate.signed, key, certificate.signature);
  } catch {
    // OpenSSL refuses to load a point that is not on its curve.
    return false;
  }
}

function isStrong(key: KeyObject, authority: Certificate): boolean {
  if (key.asymmetricKeyType === "rsa") {
    return (key.asymmetricKeyDetails?.modulusLength ?? 0) >= rsaBitsMin;
  }
  return authority.publicKey.kind === "ec-p256" || authority.publicKey.kind === "ec-p384";
}

function refusal(code: IdentityErrorCode, state: string): IdentityError {
  return new IdentityError(code, `Cannot trust chain: ${state}`);
}
