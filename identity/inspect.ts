// A chain laid open for a person: what each certificate says, and every rule with whether it is kept.
// It looks on where verifyChain stops, and believes nothing: what cannot be read is said to be so.
import { fingerprint } from "./bundle.ts";
import { extensionOf, guarded, readCertificate } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import {
  keyUsageBit,
  readAlternativeNames,
  readAuthorityKeyId,
  readBasicConstraints,
  readExtendedKeyUsage,
  readKeyUsage,
  readNameConstraints,
} from "./extensions.ts";
import type { IdentityErrorCode } from "./identity-error.ts";
import { leafIdentity, leafRules } from "./leaf-rules.ts";
import { describeName } from "./names.ts";
import type { GeneralName } from "./names.ts";
import { oid } from "./object-identifiers.ts";
import { pathRules } from "./path-rules.ts";
import type { Purpose } from "./path-rules.ts";
import type { KeyKind } from "./public-key.ts";
import { trustDomainOf } from "./spiffe-id.ts";
import type { SpiffeId, TrustDomain } from "./spiffe-id.ts";
import { checkLength, findPath, readRoots } from "./verify.ts";
import type { DerElement } from "#/lib/der.ts";
import { readOctetString } from "#/lib/der.ts";
import { messageOf } from "#/lib/errors.ts";

export interface CertificateSummary {
  readonly subject: string;
  readonly issuer: string;
  /** Hex, lower case. */
  readonly serial: string;
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly keyKind: KeyKind;
  readonly signatureAlgorithm: string;
  readonly isAuthority: boolean;
  readonly pathLengthMax: number | null;
  /** "uri:spiffe://..." and the like. */
  readonly names: readonly string[];
  readonly keyUsage: readonly string[];
  readonly extendedKeyUsage: readonly string[];
  /** "permitted uri:cluster.local" and the like. */
  readonly nameConstraints: readonly string[];
  /** Hex, or null. */
  readonly subjectKeyId: string | null;
  readonly authorityKeyId: string | null;
  /** SHA-256 of the DER, hex. */
  readonly fingerprint: string;
}

export interface Check {
  readonly code: IdentityErrorCode;
  /** What is demanded, one sentence without a period. */
  readonly demand: string;
  readonly passed: boolean;
  /** How it is broken; empty when it is kept. */
  readonly fault: string;
}

export interface Inspection {
  /** The leaf's identity; null when it is none. */
  readonly id: SpiffeId | null;
  /** Leaf first, and the trusted root that it leads to last, if there is one. */
  readonly certificates: readonly CertificateSummary[];
  /** Milliseconds until the leaf ends; negative when it has. */
  readonly leftMs: number;
  /** The rules of an X.509-SVID, then those of the chain when roots were given. */
  readonly checks: readonly Check[];
}

export interface InspectOptions {
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** DER of the trusted roots; null: nothing is known of trust, and nothing is said about it. */
  readonly roots: readonly Uint8Array[] | null;
  /** null: any. */
  readonly trustDomain: TrustDomain | null;
  /** As what the leaf's holder speaks; default "client". */
  readonly purpose?: Purpose;
}

/** Throws IdentityError when a certificate of `chain` (DER, leaf first) cannot be read at all. */
export function inspectChain(
  chain: readonly Uint8Array[],
  { now, roots, trustDomain, purpose = "client" }: InspectOptions,
): Inspection {
  checkLength(chain);
  const certificates = chain.map(readCertificate);
  const leaf = certificates[0]!;
  const id = identityOf(leaf);
  const checks = leafRules.map((rule) => judge(rule, () => rule.fault(leaf)));
  if (trustDomain !== null) checks.push(judgeTrustDomain(id, trustDomain));
  checks.push(judge(currentRule, () => currentFault(leaf, now)));
  if (roots === null) return summarize(id, certificates, now, checks);
  const path = findPath(certificates, readRoots(roots), now, purpose);
  for (const rule of pathRules) checks.push(judge(rule, () => rule.fault(path)));
  const whole = path.anchor === null ? path.certificates : [...path.certificates, path.anchor];
  return summarize(id, whole, now, checks);
}

/** Everything that one certificate says; what is malformed in it throws IdentityError. */
function summarizeCertificate(certificate: Certificate): CertificateSummary {
  return guarded("certificate_malformed", "certificate", () => {
    const value = <T>(id: string, read: (element: DerElement) => T): T | null => {
      const extension = extensionOf(certificate, id);
      return extension === null ? null : read(extension.value);
    };
    const basic = value(oid.basicConstraints, readBasicConstraints);
    const keyId = value(oid.subjectKeyIdentifier, readOctetString);
    const authorityKeyId = value(oid.authorityKeyIdentifier, readAuthorityKeyId);
    const constraints = value(oid.nameConstraints, readNameConstraints);
    return {
      subject: describeName(certificate.subject),
      issuer: describeName(certificate.issuer),
      serial: certificate.serial,
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      keyKind: certificate.publicKey.kind,
      signatureAlgorithm:
        signatureNames[certificate.signatureAlgorithm] ?? certificate.signatureAlgorithm,
      isAuthority: basic?.isAuthority ?? false,
      pathLengthMax: basic?.pathLengthMax ?? null,
      names: (value(oid.subjectAlternativeName, readAlternativeNames) ?? []).map(show),
      keyUsage: keyUsageNames(value(oid.keyUsage, readKeyUsage) ?? 0),
      extendedKeyUsage: (value(oid.extendedKeyUsage, readExtendedKeyUsage) ?? []).map(
        (purpose) => purposeNames[purpose] ?? purpose,
      ),
      nameConstraints: [
        ...(constraints?.permitted ?? []).map((name) => `permitted ${show(name)}`),
        ...(constraints?.excluded ?? []).map((name) => `excluded ${show(name)}`),
      ],
      subjectKeyId: keyId === null ? null : hex(keyId),
      authorityKeyId: authorityKeyId === null ? null : hex(authorityKeyId),
      fingerprint: fingerprint(certificate.der),
    };
  });
}

const signatureNames: Readonly<Record<string, string>> = {
  [oid.ecdsaSha256]: "ecdsa-with-SHA256",
  [oid.ecdsaSha384]: "ecdsa-with-SHA384",
  [oid.rsaSha256]: "sha256WithRSAEncryption",
  [oid.rsaSha384]: "sha384WithRSAEncryption",
};
const purposeNames: Readonly<Record<string, string>> = {
  [oid.serverAuth]: "serverAuth",
  [oid.clientAuth]: "clientAuth",
};
const currentRule = { code: "chain_expired", demand: "the leaf is valid now" } as const;

function currentFault({ notBefore, notAfter }: Certificate, now: number): string | null {
  if (now < notBefore) return `its life begins ${new Date(notBefore).toISOString()}`;
  return now < notAfter ? null : `its life ended ${new Date(notAfter).toISOString()}`;
}

function judge(
  { code, demand }: { readonly code: IdentityErrorCode; readonly demand: string },
  fault: () => string | null,
): Check {
  let state: string | null;
  try {
    state = fault();
  } catch (thrown) {
    state = messageOf(thrown);
  }
  return { code, demand, passed: state === null, fault: state ?? "" };
}

function judgeTrustDomain(id: SpiffeId | null, trustDomain: TrustDomain): Check {
  const rule = {
    code: "chain_trust_domain_foreign",
    demand: `the identity is of trust domain "${trustDomain}"`,
  } as const;
  return judge(rule, () => {
    if (id === null) return "it has no identity";
    return trustDomainOf(id) === trustDomain ? null : `it is of "${trustDomainOf(id)}"`;
  });
}

function identityOf(leaf: Certificate): SpiffeId | null {
  try {
    return leafIdentity(leaf);
  } catch {
    return null;
  }
}

function summarize(
  id: SpiffeId | null,
  certificates: readonly Certificate[],
  now: number,
  checks: readonly Check[],
): Inspection {
  const leftMs = certificates[0]!.notAfter - now;
  return { id, certificates: certificates.map(summarizeCertificate), leftMs, checks };
}

function keyUsageNames(mask: number): readonly string[] {
  return Object.entries(keyUsageBit)
    .filter(([, bit]) => (mask & bit) !== 0)
    .map(([name]) => name);
}

function show({ kind, value }: GeneralName): string {
  return `${kind}:${value}`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
