// Who is at the other end of a TLS connection, once OpenSSL has verified the chain: the SPIFFE ID of
// the leaf, read from its DER (never from Node's subjectaltname text), and how long it may speak.
import type { TLSSocket } from "node:tls";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import { trustDomainOf } from "#/identity/spiffe-id.ts";
import { readLeaf } from "#/identity/svid.ts";
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

/**
 * Judges the peer of a finished handshake. `expected` null: any identity of the trust domain (its
 * authorization comes after). `group` is the only one that this end took part in; null: as Node says.
 */
export function judgePeer(
  socket: TLSSocket,
  trustDomain: TrustDomain,
  expected: SpiffeId | null,
  group: string | null,
): PeerVerdict {
  // A resumed session shows no certificate, and the old one may have expired since.
  if (socket.isSessionReused()) return fault("session_resumed", "");
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return fault("peer_certificate_missing", "");
  if (!socket.authorized) {
    return fault(
      "peer_certificate_untrusted",
      messageOf(socket.authorizationError ?? "unverified"),
    );
  }
  let leaf;
  try {
    leaf = readLeaf(certificate.raw);
  } catch (error) {
    return fault("peer_certificate_invalid", messageOf(error));
  }
  if (trustDomainOf(leaf.id) !== trustDomain) return fault("peer_trust_domain_foreign", leaf.id);
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

function fault(kind: PeerFault, detail: string): PeerVerdict {
  return { kind: "fault", fault: kind, detail };
}

/** Of the client's side: a server is told nothing. */
function groupOf(socket: TLSSocket): string {
  const info = socket.getEphemeralKeyInfo() as { type?: string; name?: string } | null;
  if (info === null || info.type === undefined) return "unknown";
  return info.name ?? info.type;
}
