// Who is at the other end of a TLS connection: the SPIFFE ID of the leaf, read from its DER (never from Node's
// subjectaltname text), and how long it may speak. OpenSSL has held the chain against the roots of one trust
// domain. Whom a server is called by is known after the handshake alone; so a caller of a federated trust
// domain, whose chain no root of ours is above, is held here against that domain's roots, by our own reading.
import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import { trustDomainOf } from "#/identity/spiffe-id.ts";
import { readLeaf } from "#/identity/svid.ts";
import type { LeafFacts } from "#/identity/svid.ts";
import { chainLengthMax, verifyChain } from "#/identity/verify.ts";
import { messageOf } from "#/lib/errors.ts";

export interface Peer {
  readonly id: SpiffeId;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
  /** As OpenSSL names it: "TLSv1.3". */
  readonly version: string;
  /** Key-exchange group, "X25519MLKEM768" where both ends can. */
  readonly group: string;
}

export type PeerFault =
  | "peer_certificate_missing"
  | "peer_certificate_untrusted"
  | "peer_certificate_invalid"
  | "peer_trust_domain_foreign"
  | "peer_identity_unexpected"
  | "session_resumed";

export type PeerVerdict =
  | { readonly kind: "peer"; readonly peer: Peer }
  | { readonly kind: "fault"; readonly fault: PeerFault; readonly detail: string };

export interface PeerRules {
  /** Of the roots that OpenSSL has held the chain against. */
  readonly trustDomain: TrustDomain;
  /** null: any identity (its authorization comes after). */
  readonly expected: SpiffeId | null;
  /** Other trust domains whose identities count, each by its own roots. */
  readonly foreign: ReadonlyMap<TrustDomain, { readonly roots: readonly Uint8Array[] }>;
  /** The only key-exchange group that this end took part in; null: as Node says. */
  readonly group: string | null;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** Judges the peer of a finished handshake. */
export function judgePeer(socket: TLSSocket, rules: PeerRules): PeerVerdict {
  // A resumed session shows no certificate, and the old one may have expired since.
  if (socket.isSessionReused()) return fault("session_resumed", "");
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return fault("peer_certificate_missing", "");
  const { trustDomain, expected, group } = rules;
  const unverified = messageOf(socket.authorizationError ?? "unverified");
  let leaf: LeafFacts;
  try {
    leaf = readLeaf(certificate.raw);
  } catch (error) {
    if (!socket.authorized) return fault("peer_certificate_untrusted", unverified);
    return fault("peer_certificate_invalid", messageOf(error));
  }
  const domain = trustDomainOf(leaf.id);
  // Roots speak for their own trust domain: what ours are above names nobody else, and the other way round.
  if (socket.authorized) {
    if (domain !== trustDomain) return fault("peer_trust_domain_foreign", leaf.id);
  } else {
    const state = domain === trustDomain ? unverified : foreignFault(certificate, domain, rules);
    if (state !== null) return fault("peer_certificate_untrusted", state);
  }
  if (expected !== null && leaf.id !== expected) return fault("peer_identity_unexpected", leaf.id);
  return {
    kind: "peer",
    peer: {
      id: leaf.id,
      notAfter: leaf.notAfter,
      version: socket.getProtocol() ?? "unknown",
      group: group ?? groupOf(socket),
    },
  };
}

/** null: the chain leads to a root of that very trust domain, by every rule. */
function foreignFault(
  certificate: X509Certificate,
  trustDomain: TrustDomain,
  { foreign, now }: PeerRules,
): string | null {
  const roots = foreign.get(trustDomain)?.roots;
  if (roots === undefined) return `trust domain "${trustDomain}" is not federated`;
  try {
    verifyChain(chainOf(certificate), roots, now, { trustDomain, purpose: "client" });
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/** DER, as the peer sent it; one too long to be read is cut where it begins to be. */
function chainOf(leaf: X509Certificate): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  let each: X509Certificate | undefined = leaf;
  while (each !== undefined && chain.length <= chainLengthMax) {
    chain.push(each.raw);
    each = each.issuerCertificate;
  }
  return chain;
}

function fault(kind: PeerFault, detail: string): PeerVerdict {
  return { kind: "fault", fault: kind, detail };
}

/** Of the client's side: a server is told nothing. */
function groupOf(socket: TLSSocket): string {
  const info = socket.getEphemeralKeyInfo() as { type?: string; name?: string } | null;
  if (info === null || info.type === undefined) return "unknown";
  return info.name ?? info.type;
}
