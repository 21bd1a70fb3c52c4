// Hands over what came out of a handshake. Node tells of its end from within its TLS layer, and whoever
// resets the socket below in that very turn takes the whole process down (SIGSEGV, Node 26.10): any member
// of the mesh that is refused after its handshake could. In the next turn it may be reset like any other.
import type { TLSSocket } from "node:tls";

/** Exactly one is called: `gone` when the connection ended meanwhile. Nothing is read before. */
export function inNextTurn(socket: TLSSocket, whole: () => void, gone: () => void): void {
  setImmediate(() => {
    if (socket.destroyed) gone();
    else whole();
  });
}
