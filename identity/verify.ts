// The whole judgement on a chain, by our own reading of it: used where no TLS stack has verified it
// before (what the CA signed, what a sidecar was given, what a person inspects). On TLS, OpenSSL
// verifies the chain and readLeaf says whose it is.
import { equal, guarded, readCertificate } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import { IdentityError } from "./identity-error.ts";
import { isNamedIssuer, pathRules } from "./path-rules.ts";
import type { Path, Purpose } from "./path-rules.ts";
import { isSignedBy } from "./signature.ts";
import { trustDomainOf } from "./spiffe-id.ts";
import type { TrustDomain } from "./spiffe-id.ts";
import { leafFacts } from "./svid.ts";
import type { LeafFacts } from "./svid.ts";

/** Leaf, issuer, two intermediates and a root leave room for as many again. */
export const chainLengthMax = 8;

export interface VerifyOptions {
  /** Identities of any other are refused. */
  readonly trustDomain: TrustDomain;
  /** What the leaf's holder is about to be. */
  readonly purpose: Purpose;
}

/**
 * The facts of the leaf. Throws IdentityError unless the chain (DER, leaf first, with or without its
 * root) leads to one of `roots` by every rule, at `now` (milliseconds since the epoch), and the leaf
 * is an X.509-SVID of the trust domain. Without roots nothing is trusted.
 */
export function verifyChain(
  chain: readonly Uint8Array[],
  roots: readonly Uint8Array[],
  now: number,
  { trustDomain, purpose }: VerifyOptions,
): LeafFacts {
  checkLength(chain);
  const certificates = chain.map(readCertificate);
  const facts = leafFacts(certificates[0]!);
  if (trustDomainOf(facts.id) !== trustDomain) {
    throw new IdentityError(
      "chain_trust_domain_foreign",
      `Cannot accept "${facts.id}": it is not of trust domain "${trustDomain}"`,
    );
  }
  const path = findPath(certificates, readRoots(roots), now, purpose);
  for (const { code, fault } of pathRules) {
    const state = guarded("certificate_malformed", "chain", () => fault(path));
    if (state === null) continue;
    throw new IdentityError(code, `Cannot trust the chain of "${facts.id}": ${state}`);
  }
  return facts;
}

/** Throws IdentityError for an empty chain and for one that is absurdly long. */
export function checkLength(chain: readonly Uint8Array[]): void {
  if (chain.length >= 1 && chain.length <= chainLengthMax) return;
  throw new IdentityError(
    "chain_length_invalid",
    `Cannot read chain: ${chain.length} certificates are not 1 to ${chainLengthMax}`,
  );
}

/** The path from the leaf to the root that its last certificate names, without that root. */
export function findPath(
  chain: readonly Certificate[],
  roots: readonly Certificate[],
  now: number,
  purpose: Purpose,
): Path {
  const isRoot = (one: Certificate): boolean => roots.some((root) => equal(root.der, one.der));
  // A root may be sent along; it is trusted because we hold it, never because it was sent.
  const certificates = chain.length > 1 && isRoot(chain.at(-1)!) ? chain.slice(0, -1) : chain;
  const last = certificates.at(-1)!;
  const named = guarded("certificate_malformed", "chain", () =>
    roots.filter((root) => isNamedIssuer(last, root)),
  );
  // While roots rotate, two may have one name: the one that signed counts.
  const anchor = named.find((root) => isSignedBy(last, root)) ?? named[0] ?? null;
  return { certificates, anchor, now, purpose };
}

/** Those that can be read: a root of another make in the bundle must not take all the others down. */
export function readRoots(roots: readonly Uint8Array[]): readonly Certificate[] {
  return roots.flatMap((der) => {
    try {
      return [readCertificate(der)];
    } catch {
      return [];
    }
  });
}
