// A plain TCP connection to an address, with a time limit.
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Clock } from "#/lib/clock.ts";

export type DialFault = "connect_refused" | "connect_failed" | "connect_timeout";

/** Exactly one of the callbacks is called, never from within. */
export function dial(
  target: { readonly address: string; readonly port: number },
  timeoutMs: number,
  clock: Clock,
  connected: (socket: Socket) => void,
  failed: (fault: DialFault) => void,
): void {
  let over = false;
  const socket = connect({
    host: target.address,
    port: target.port,
    noDelay: true,
    allowHalfOpen: true,
  });
  const fail = (fault: DialFault): void => {
    if (over) return;
    over = true;
    cancel();
    socket.destroy();
    failed(fault);
  };
  const cancel = clock.after(timeoutMs, () => fail("connect_timeout"));
  socket.on("error", (error: NodeJS.ErrnoException) => {
    fail(error.code === "ECONNREFUSED" ? "connect_refused" : "connect_failed");
  });
  socket.once("connect", () => {
    if (over) return;
    over = true;
    cancel();
    connected(socket);
  });
}
