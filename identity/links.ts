// From a pin to the roots of today. A pod that was injected before a root was replaced pins the former
// one for as long as it lives. So each new root is certified once by the one before it (a link, RFC 4210's
// "new with old"), and whoever holds the former root's pin may go from link to link to the present root.
// Former roots and links are steps on that way and nothing else: what is trusted is always a root of the
// bundle.
import { fingerprint, parsePem } from "./bundle.ts";
import { equal, extensionOf, readCertificate } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import { readBasicConstraints } from "./extensions.ts";
import { IdentityError } from "./identity-error.ts";
import { oid } from "./object-identifiers.ts";
import { isNamedIssuer } from "./path-rules.ts";
import { isSignedBy } from "./signature.ts";

/** A bundle as it is published: a hint, until pins have been held against it. */
export interface PublishedBundle {
  /** PEM of the trusted roots. */
  readonly bundle: string;
  /** PEM of former roots and links, in any order; empty when no root was replaced yet. */
  readonly links: string;
}

/**
 * DER of the bundle's roots that are pinned, or that links lead to from a pinned one; `now` in
 * milliseconds since the Unix epoch. Throws IdentityError when there is none: no falling back to trusting
 * the file (attack case 19).
 */
export function rootsByPins(
  { bundle, links }: PublishedBundle,
  pins: readonly string[],
  now: number,
): readonly Uint8Array[] {
  const roots = parsePem(bundle);
  const steps = links.trim() === "" ? [] : parsePem(links);
  const reached = reachable([...roots, ...steps], pins, now);
  const trusted = roots.filter((der) => reached.has(fingerprint(der)));
  if (trusted.length > 0) return trusted;
  throw new IdentityError("pins_unmatched", "Cannot trust bundle: no root in it is pinned", {
    next: "Restart the pod, so that it is injected with the pins of the present roots",
  });
}

/** Fingerprints of what is pinned and of the self-signed roots that links lead to from there. */
function reachable(
  ders: readonly Uint8Array[],
  pins: readonly string[],
  now: number,
): ReadonlySet<string> {
  const certificates = ders.flatMap(readable);
  const reached = certificates.filter(({ der }) => pins.includes(fingerprint(der)));
  // What is added here is looked at in its turn.
  for (const anchor of reached) {
    for (const link of certificates) {
      if (!isLink(link, anchor, now)) continue;
      reached.push(...certificates.filter((one) => isMeant(one, link) && !reached.includes(one)));
    }
  }
  // A pin counts also for what our own reader cannot read: it is the pod's spec that says so.
  return new Set([...reached.map(({ der }) => fingerprint(der)), ...pins]);
}

function readable(der: Uint8Array): readonly Certificate[] {
  try {
    return [readCertificate(der)];
  } catch {
    return [];
  }
}

/** `anchor` certified another authority's key, and that still holds. */
function isLink(link: Certificate, anchor: Certificate, now: number): boolean {
  if (equal(link.publicKey.der, anchor.publicKey.der)) return false;
  if (now < link.notBefore || now >= link.notAfter) return false;
  return (
    isAuthority(link) &&
    isAuthority(anchor) &&
    isNamedIssuer(link, anchor) &&
    isSignedBy(link, anchor)
  );
}

/** The self-signed root whose name and key the link has. */
function isMeant(root: Certificate, link: Certificate): boolean {
  return (
    equal(root.subject.whole, link.subject.whole) &&
    equal(root.publicKey.der, link.publicKey.der) &&
    isSignedBy(root, root)
  );
}

function isAuthority(certificate: Certificate): boolean {
  const basic = extensionOf(certificate, oid.basicConstraints);
  try {
    return basic !== null && readBasicConstraints(basic.value).isAuthority;
  } catch {
    return false;
  }
}
