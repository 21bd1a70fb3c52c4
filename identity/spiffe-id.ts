// SPIFFE IDs and trust domains (SPIFFE-ID specification, section 2). Text becomes a branded type here,
// once; nothing inside the mesh looks at such a string again. Strict where the specification leaves
// room: the scheme is lower case, nothing is normalised, what is not canonical is refused.
import { IdentityError } from "./identity-error.ts";

/** "spiffe://trust-domain/path", canonical: equal identities are equal strings. */
export type SpiffeId = string & { readonly spiffeId: unique symbol };
/** Lower case, as "cluster.local". */
export type TrustDomain = string & { readonly trustDomain: unique symbol };

/** Bytes of a whole SPIFFE ID and of its trust domain, by the specification, section 2.3. */
export const spiffeIdBytesMax = 2048;
export const trustDomainBytesMax = 255;

const scheme = "spiffe://";
const trustDomainPattern = /^[a-z0-9._-]+$/;
/** The whole, in one look: a trust domain, then segments of which none is "." or "..". */
const canonicalPattern = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/;
/** RFC 1123 label and subdomain, as Kubernetes demands of namespaces and service accounts. */
const labelPattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const subdomainPattern = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const subdomainCharactersMax = 253;

/**
 * Throws IdentityError unless `text` is a canonical SPIFFE ID with a path: an ID without one names a
 * trust domain, never a workload.
 */
export function parseSpiffeId(text: string): SpiffeId {
  if (text.length <= spiffeIdBytesMax && canonicalPattern.test(text)) return text as SpiffeId;
  throw whyRefused(text);
}

/** What is wrong with a text that is no SPIFFE ID; of a trust domain, parseTrustDomain says it. */
function whyRefused(text: string): IdentityError {
  if (text.length > spiffeIdBytesMax) return invalid(text, `is longer than ${spiffeIdBytesMax}`);
  if (!text.startsWith(scheme)) return invalid(text, `does not begin with "${scheme}"`);
  const [trustDomain = "", ...segments] = text.slice(scheme.length).split("/");
  parseTrustDomain(trustDomain);
  if (segments.length === 0) return invalid(text, "has no path");
  if (segments.includes("")) return invalid(text, "has an empty path segment");
  const isDotted = segments.includes(".") || segments.includes("..");
  if (isDotted) return invalid(text, "has a dot segment");
  return invalid(text, "has a character that no path segment may have");
}

/** Throws IdentityError unless `text` is a trust domain name, without scheme. */
export function parseTrustDomain(text: string): TrustDomain {
  if (text.length > 0 && text.length <= trustDomainBytesMax && trustDomainPattern.test(text)) {
    return text as TrustDomain;
  }
  throw new IdentityError(
    "trust_domain_invalid",
    `Cannot read "${shown(text)}" as a trust domain: it has to be 1 to ${trustDomainBytesMax} of a-z 0-9 . _ -`,
    { next: 'Write it without scheme, port or path, as "cluster.local"' },
  );
}

/** The one form of a workload's identity. Throws IdentityError unless Kubernetes allows both names. */
export function workloadId(
  trustDomain: TrustDomain,
  namespace: string,
  serviceAccount: string,
): SpiffeId {
  if (!labelPattern.test(namespace)) {
    throw notWorkload(`Cannot name namespace "${shown(namespace)}" in an identity`);
  }
  if (serviceAccount.length > subdomainCharactersMax || !subdomainPattern.test(serviceAccount)) {
    throw notWorkload(`Cannot name service account "${shown(serviceAccount)}" in an identity`);
  }
  return `${scheme}${trustDomain}/ns/${namespace}/sa/${serviceAccount}` as SpiffeId;
}

export function trustDomainOf(id: SpiffeId): TrustDomain {
  return id.slice(scheme.length, id.indexOf("/", scheme.length)) as TrustDomain;
}

/** The trust domain's own SPIFFE ID, without a path: how bundles are named. */
export function trustDomainId(trustDomain: TrustDomain): string {
  return `${scheme}${trustDomain}`;
}

export interface WorkloadParts {
  readonly trustDomain: TrustDomain;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** The names behind a workload's identity; throws IdentityError for any other form of path. */
export function partsOf(id: SpiffeId): WorkloadParts {
  const trustDomain = trustDomainOf(id);
  const segments = id.slice(scheme.length + trustDomain.length + 1).split("/");
  const [ns, namespace = "", sa, serviceAccount = ""] = segments;
  const isForm = segments.length === 4 && ns === "ns" && sa === "sa";
  if (!isForm) throw notWorkload(`Cannot find namespace and service account in "${id}"`);
  workloadId(trustDomain, namespace, serviceAccount);
  return { trustDomain, namespace, serviceAccount };
}

function invalid(text: string, state: string): IdentityError {
  return new IdentityError(
    "id_invalid",
    `Cannot read "${shown(text)}" as a SPIFFE ID: it ${state}`,
    { next: 'Write it as "spiffe://cluster.local/ns/default/sa/default"' },
  );
}

function notWorkload(message: string): IdentityError {
  return new IdentityError("id_not_workload", message);
}

/** What an attacker sends goes into our log: bounded, and without characters that move a cursor. */
function shown(text: string): string {
  return text.slice(0, 128).replaceAll(/[^\x20-\x7e]/g, "?");
}
