// What makes a certificate an X.509-SVID of this mesh: the rules of the SPIFFE X509-SVID
// specification (sections 2 to 5), and where it leaves room the narrow reading. One rule, one entry:
// svid.ts stops at the first that fails, inspect.ts lists them all.
import { extensionOf } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import {
  keyUsageBit,
  readAlternativeNames,
  readBasicConstraints,
  readExtendedKeyUsage,
  readKeyUsage,
} from "./extensions.ts";
import type { IdentityErrorCode } from "./identity-error.ts";
import { isEmptyName } from "./names.ts";
import { oid } from "./object-identifiers.ts";
import { isCertifiableKey } from "./public-key.ts";
import { parseSpiffeId } from "./spiffe-id.ts";
import type { SpiffeId } from "./spiffe-id.ts";

export interface LeafRule {
  readonly code: IdentityErrorCode;
  /** What is demanded, one sentence without a period. */
  readonly demand: string;
  /** null when it holds, else what stands there instead. May throw DerError. */
  readonly fault: (certificate: Certificate) => string | null;
}

export const leafRules: readonly LeafRule[] = [
  {
    code: "leaf_is_authority",
    demand: "basicConstraints is there and says that it is no authority",
    fault(certificate) {
      const extension = extensionOf(certificate, oid.basicConstraints);
      if (extension === null) return "basicConstraints is missing";
      return readBasicConstraints(extension.value).isAuthority ? "it is an authority" : null;
    },
  },
  {
    code: "leaf_key_usage_invalid",
    demand: "keyUsage is critical, with digitalSignature and without keyCertSign and cRLSign",
    fault(certificate) {
      const extension = extensionOf(certificate, oid.keyUsage);
      if (extension === null) return "keyUsage is missing";
      if (!extension.critical) return "keyUsage is not critical";
      const usage = readKeyUsage(extension.value);
      if ((usage & keyUsageBit.digitalSignature) === 0) return "digitalSignature is missing";
      const isSigner = (usage & (keyUsageBit.keyCertSign | keyUsageBit.crlSign)) !== 0;
      return isSigner ? "it may sign certificates or revocation lists" : null;
    },
  },
  {
    code: "leaf_extended_key_usage_invalid",
    demand: "extendedKeyUsage has serverAuth and clientAuth",
    fault(certificate) {
      const extension = extensionOf(certificate, oid.extendedKeyUsage);
      if (extension === null) return "extendedKeyUsage is missing";
      const usages = readExtendedKeyUsage(extension.value);
      if (!usages.includes(oid.serverAuth)) return "serverAuth is missing";
      return usages.includes(oid.clientAuth) ? null : "clientAuth is missing";
    },
  },
  {
    code: "leaf_key_unsupported",
    demand: "the key is on the curve P-256",
    fault: ({ publicKey }) =>
      isCertifiableKey(publicKey) ? null : `its kind is "${publicKey.kind}"`,
  },
  {
    code: "leaf_names_invalid",
    demand: "subjectAltName is one URI, a SPIFFE ID, and critical when the subject is empty",
    fault(certificate) {
      // Attack case 6: names come from the DER, where a NUL or a line break is refused.
      const name = onlyUri(certificate);
      if (typeof name === "string") return name;
      try {
        parseSpiffeId(name.uri);
        return null;
      } catch {
        return `the URI "${name.uri.slice(0, 128)}" is no SPIFFE ID`;
      }
    },
  },
];

/** The identity in a certificate that has passed the rules. */
export function leafIdentity(certificate: Certificate): SpiffeId {
  const name = onlyUri(certificate);
  return parseSpiffeId(typeof name === "string" ? "" : name.uri);
}

function onlyUri(certificate: Certificate): { readonly uri: string } | string {
  const extension = extensionOf(certificate, oid.subjectAlternativeName);
  if (extension === null) return "subjectAltName is missing";
  if (isEmptyName(certificate.subject.whole) && !extension.critical)
    return "subjectAltName is not critical";
  const [name, ...others] = readAlternativeNames(extension.value);
  if (name === undefined || others.length > 0) return "there is more than one name";
  if (name.kind !== "uri") return `the name is of kind "${name.kind}"`;
  return { uri: name.value };
}
