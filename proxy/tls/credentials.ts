// From an SVID and a trust bundle to what node:tls takes. A change of either makes a new immutable
// record; who holds the old one (a live connection) keeps it, new connections take the new one.
import { constants } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { SecureContext } from "node:tls";
import type { FederatedBundles, TrustBundle } from "#/api/discovery.ts";
import { toPem } from "#/identity/bundle.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";

/** Protocols between sidecars. Never plain "h2": that is an application's own TLS. */
export const alpnHttp1 = "signet-http/1.1";
export const alpnTcp = "signet-tcp";
export const alpnProtocols: readonly string[] = [alpnHttp1, alpnTcp];

/**
 * No session resumption, in either direction: a resumed session skips the certificate and outlives
 * it. Tickets are off, and nobody keeps sessions.
 */
const secureOptions = constants.SSL_OP_NO_TICKET;

/** Another trust domain, as far as its own roots reach. */
export interface ForeignTrust {
  /** DER: whoever is of that trust domain is held against these, and nobody else is. */
  readonly roots: readonly Uint8Array[];
  /** Our certificate, and these roots alone. */
  readonly context: SecureContext;
}

export interface Credentials {
  readonly id: SpiffeId;
  readonly trustDomain: TrustDomain;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
  /** The own trust domain's roots alone. */
  readonly context: SecureContext;
  /** By trust domain; never the own one. */
  readonly foreign: ReadonlyMap<TrustDomain, ForeignTrust>;
  readonly material: {
    readonly key: string;
    readonly cert: string;
    readonly ca: readonly string[];
    readonly minVersion: "TLSv1.3";
    readonly maxVersion: "TLSv1.3";
    readonly secureOptions: number;
  };
}

/** What credentials are made of; it can be told to another thread. */
export interface CredentialMaterial {
  readonly svid: Svid;
  readonly bundle: Pick<TrustBundle, "trustDomain" | "roots">;
  readonly federated: FederatedBundles;
}

export function credentialsOf(material: CredentialMaterial | null): Credentials | null {
  if (material === null) return null;
  return makeCredentials(material.svid, material.bundle, material.federated);
}

/**
 * Pure but for OpenSSL's parsing; throws when the material does not fit together. No list of roots is ever
 * made of two bundles: a root must not be able to speak for another trust domain than its own.
 */
export function makeCredentials(
  svid: Svid,
  bundle: CredentialMaterial["bundle"],
  federated: FederatedBundles = new Map(),
): Credentials {
  const material = {
    key: svid.privateKey.export({ type: "pkcs8", format: "pem" }),
    cert: svid.chain.map(toPem).join(""),
    ca: bundle.roots.map(toPem),
    minVersion: "TLSv1.3",
    maxVersion: "TLSv1.3",
    secureOptions,
  } as const;
  const foreign = new Map<TrustDomain, ForeignTrust>();
  for (const { trustDomain, roots } of federated.values()) {
    const context = createSecureContext({ ...material, ca: roots.map(toPem) });
    if (trustDomain !== bundle.trustDomain) foreign.set(trustDomain, { roots, context });
  }
  return {
    id: svid.id,
    trustDomain: bundle.trustDomain,
    notAfter: svid.notAfter,
    context: createSecureContext({ ...material, ca: [...material.ca] }),
    foreign,
    material,
  };
}
