// Writes bytes that their owner uses again when the call returns: a read buffer's. Nothing is allocated unless the
// socket cannot take all of them at once, so that a stream of any length leaves no garbage behind.
import { TLSSocket } from "node:tls";
import type { Socket } from "node:net";
import { sendNow } from "./libc.ts";

/** As socket.write: false when nothing more should be written before "drain". */
export function writeBorrowed(socket: Socket, bytes: Buffer): boolean {
  // What waits in the stream would have to wait with these bytes as they are now.
  if (socket.writableLength > 0 || socket.connecting || socket.writableCorked > 0) {
    return socket.write(Buffer.from(bytes));
  }
  // Encrypted, or copied where the handshake goes on, before it returns.
  if (socket instanceof TLSSocket) return socket.write(bytes);
  const sent = sendNow(socket, bytes);
  return sent === bytes.length || socket.write(Buffer.from(bytes.subarray(sent)));
}
