// Whether the other end of a TCP connection has closed it, asked of the kernel: it knows before the event loop has
// read so much as a byte of it.
import type { Socket } from "node:net";
import { getSocketOption } from "./libc.ts";

/** netinet/tcp.h; the first byte of struct tcp_info is the state. */
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const TCP_ESTABLISHED = 1;

// One for all calls: the call is synchronous.
const state = Buffer.alloc(1);

/** True after the other end's FIN or RST; false also where the kernel does not tell. About 1 us. */
export function isClosedByPeer(socket: Socket): boolean {
  return (
    getSocketOption(socket, IPPROTO_TCP, TCP_INFO, state) === 1 && state[0] !== TCP_ESTABLISHED
  );
}
