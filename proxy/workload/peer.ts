// Whom the pod's socket serves. That a peer is of this pod follows from its having the socket at all: it
// lies on a volume of the pod, which is mounted nowhere else. The kernel's word on its user narrows that
// down. Pure.
import type { PeerCredentials } from "../net/peer-credentials.ts";

export type PeerRefusal = "credentials_unknown" | "user_reserved" | "user_not_named";

export interface PeerRules {
  /** The sidecar's own user, which is nobody's application: the redirect rules exempt it. */
  readonly ownUser: number;
  /** The users that the pod's containers run as; null: its spec does not tell. */
  readonly users: ReadonlySet<number> | null;
}

export interface RefusedPeer {
  readonly reason: PeerRefusal;
  /** For the peer: one sentence that says what to change. */
  readonly message: string;
}

/** null: it is served. */
export function judgePeer(
  peer: PeerCredentials | null,
  { ownUser, users }: PeerRules,
): RefusedPeer | null {
  if (peer === null) {
    return refused("credentials_unknown", "the kernel does not know who asks");
  }
  if (peer.uid === ownUser) {
    return refused("user_reserved", `user ${peer.uid} is the sidecar's own; run as another`);
  }
  if (users !== null && !users.has(peer.uid)) {
    const named = [...users].join(", ");
    const state = `the pod's containers run as user ${named}, not ${peer.uid}; name it as runAsUser`;
    return refused("user_not_named", state);
  }
  return null;
}

function refused(reason: PeerRefusal, state: string): RefusedPeer {
  return { reason, message: `Cannot serve: ${state}` };
}
