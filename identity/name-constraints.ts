// Name constraints of authorities (RFC 5280 section 4.2.1.10) on the one form of name that identities
// have: a URI. Constraints on other forms that a leaf of ours cannot carry say nothing about it; those
// on whole directory names would, and are refused as not understood.
import { extensionOf } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import { readAlternativeNames, readNameConstraints } from "./extensions.ts";
import type { GeneralName, GeneralNameKind } from "./names.ts";
import { oid } from "./object-identifiers.ts";

const understood: ReadonlySet<GeneralNameKind> = new Set(["uri", "dns", "email", "ip"]);

/**
 * Why `issuer` may not vouch for the certificates `below` it (directly or not), or null when it may.
 * Throws DerError.
 */
export function outsideConstraints(
  below: readonly Certificate[],
  issuer: Certificate,
): string | null {
  const extension = extensionOf(issuer, oid.nameConstraints);
  if (extension === null) return null;
  if (!extension.critical) return `${issuer.serial} has constraints that are not critical`;
  const { permitted, excluded } = readNameConstraints(extension.value);
  for (const { kind } of [...permitted, ...excluded]) {
    if (!understood.has(kind)) return `${issuer.serial} constrains names of kind "${kind}"`;
  }
  const allowed = uris(permitted);
  const denied = uris(excluded);
  for (const name of uris(below.flatMap(namesOf))) {
    const host = hostOf(name);
    if (host === null) return `"${name}" has no host to constrain`;
    if (allowed.length > 0 && !allowed.some((constraint) => covers(constraint, host))) {
      return `"${name}" is not permitted by ${issuer.serial}`;
    }
    if (denied.some((constraint) => constraint === "" || covers(constraint, host))) {
      return `"${name}" is excluded by ${issuer.serial}`;
    }
  }
  return null;
}

function namesOf(certificate: Certificate): readonly GeneralName[] {
  const extension = extensionOf(certificate, oid.subjectAlternativeName);
  return extension === null ? [] : readAlternativeNames(extension.value);
}

function uris(names: readonly GeneralName[]): readonly string[] {
  return names.filter(({ kind }) => kind === "uri").map(({ value }) => value);
}

/** The host of a URI with an authority part; null without one, or with user, port or brackets. */
function hostOf(uri: string): string | null {
  return /^[a-z][a-z0-9+.-]*:\/\/([a-z0-9._-]+)(?:[/?#]|$)/i.exec(uri)?.[1]?.toLowerCase() ?? null;
}

/**
 * RFC 5280 section 4.2.1.10: "host" is that host alone, ".host" every host below it. What the empty
 * one covers is read differently by different implementations: so it permits nothing, and excludes
 * everything.
 */
function covers(constraint: string, host: string): boolean {
  const wanted = constraint.toLowerCase();
  return wanted.startsWith(".")
    ? host.endsWith(wanted) && host.length > wanted.length
    : host === wanted;
}
