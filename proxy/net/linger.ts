// Closes a socket so that its peer gets to read the last answer: what it still sends is dropped for a
// moment (a RST now would take the answer away from it, RFC 9112 section 9.6).
import type { Socket } from "node:net";
import type { Clock } from "#/lib/clock.ts";

const LINGER_MS = 1000;

export function closeAfterAnswer(socket: Socket, clock: Clock): void {
  socket.end();
  socket.resume();
  const stop = clock.after(LINGER_MS, () => socket.destroy());
  socket.once("close", stop);
}
