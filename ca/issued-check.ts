// Reads again what was just signed, before it leaves: a fault in the template or the signer must not
// become somebody's identity. It shares no code with the writer but the object identifiers.
import { verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { equal, extensionOf, readCertificate } from "#/identity/certificate.ts";
import type { Certificate } from "#/identity/certificate.ts";
import {
  readAlternativeNames,
  readBasicConstraints,
  readExtendedKeyUsage,
} from "#/identity/extensions.ts";
import { oid } from "#/identity/object-identifiers.ts";
import { leafFacts } from "#/identity/svid.ts";
import type { LeafFacts } from "#/identity/svid.ts";
import { messageOf } from "#/lib/errors.ts";
import { CaError } from "./ca-error.ts";
import type { LeafTemplate } from "./template.ts";

export interface CheckingIssuer {
  /** DER of its subject. */
  readonly subject: Uint8Array;
  readonly publicKey: KeyObject;
  readonly notAfter: number;
}

/** Throws CaError `issued_unsound` unless `der` is exactly what `template` asked for. */
export function checkIssued(
  der: Uint8Array,
  template: LeafTemplate,
  issuer: CheckingIssuer,
): LeafFacts {
  const { certificate, facts } = reread(der, template);
  if (facts.id !== template.id) throw unsound(`it names "${facts.id}"`);
  if (!equal(facts.publicKey, template.publicKey)) throw unsound("it is of another key");
  if (facts.notBefore !== template.notBefore) throw unsound("it begins at another time");
  if (facts.notAfter !== template.notAfter) throw unsound("it ends at another time");
  if (facts.notAfter > issuer.notAfter) throw unsound("it outlives its issuer");
  if (!equal(certificate.issuer.whole, issuer.subject)) throw unsound("it names another issuer");
  if (!verify("sha256", certificate.signed, issuer.publicKey, certificate.signature)) {
    throw unsound("its signature is not the issuer's");
  }
  return facts;
}

function reread(der: Uint8Array, template: LeafTemplate) {
  try {
    const certificate = readCertificate(der);
    if (template.dnsNames.length === 0) return { certificate, facts: leafFacts(certificate) };
    checkServing(certificate, template.dnsNames);
    const { notBefore, notAfter, serial, publicKey } = certificate;
    return {
      certificate,
      facts: { id: template.id, notBefore, notAfter, serial, publicKey: publicKey.der },
    };
  } catch (thrown) {
    throw unsound(messageOf(thrown));
  }
}

/** Exactly the names that were granted, for servers alone: nothing that a sidecar would accept. */
function checkServing(certificate: Certificate, dnsNames: readonly string[]): void {
  const value = (type: string) => extensionOf(certificate, type)?.value;
  const names = readAlternativeNames(value(oid.subjectAlternativeName)!);
  const isGranted =
    names.length === dnsNames.length &&
    names.every((name, at) => name.kind === "dns" && name.value === dnsNames[at]);
  if (!isGranted) throw unsound("it has other names than were granted");
  const usages = readExtendedKeyUsage(value(oid.extendedKeyUsage)!);
  if (usages.length !== 1 || usages[0] !== oid.serverAuth)
    throw unsound("it is not for servers alone");
  if (readBasicConstraints(value(oid.basicConstraints)!).isAuthority)
    throw unsound("it is an authority");
}

function unsound(state: string): CaError {
  return new CaError("issued_unsound", `Cannot hand out what was signed: ${state}`, {
    next: "This is a fault of ours: report it with the log",
  });
}
