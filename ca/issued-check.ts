// Reads again what was just signed, before it leaves: a fault in the template or the signer must not
// become somebody's identity. It shares no code with the writer but the object identifiers.
import { verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { equal, readCertificate } from "#/identity/certificate.ts";
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
  const { certificate, facts } = reread(der);
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

function reread(der: Uint8Array) {
  try {
    const certificate = readCertificate(der);
    return { certificate, facts: leafFacts(certificate) };
  } catch (thrown) {
    throw unsound(messageOf(thrown));
  }
}

function unsound(state: string): CaError {
  return new CaError("issued_unsound", `Cannot hand out what was signed: ${state}`, {
    next: "This is a fault of ours: report it with the log",
  });
}
