// How a connection is broken off: RST, also below TLS. Node hands an end without close_notify to its
// reader as an ordinary one, so only a RST tells the peer that what it has is not all.
import type { Socket } from "node:net";

/** Closes with RST, at once; what was not sent yet is lost. */
export function reset(socket: Socket): void {
  if (socket.destroyed) return;
  const raw = rawSocketOf(socket);
  if (!raw.destroyed) raw.resetAndDestroy();
  if (raw !== socket) socket.destroy();
}

/** The socket that a TLSSocket was wrapped around, which Node keeps as `_parent`; or the socket itself. */
export function rawSocketOf(socket: Socket): Socket {
  return (socket as unknown as { readonly _parent?: Socket | null })._parent ?? socket;
}
