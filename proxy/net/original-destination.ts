// Where a redirected connection was going before iptables turned it to us: SO_ORIGINAL_DST, asked of
// the kernel. Needs no capability.
import { isIPv4 } from "node:net";
import type { Socket } from "node:net";
import { canonicalIp, normalizeIp } from "#/lib/ip.ts";
import { getSocketOption } from "./libc.ts";

/** netinet/in.h and linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h. */
const SOL_IP = 0;
const SOL_IPV6 = 41;
const SO_ORIGINAL_DST = 80;
const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;

export interface Destination {
  /** Canonical text (IPv4 unmapped). */
  readonly address: string;
  readonly port: number;
}

// One for all calls of a family: the call is synchronous and the answer is copied out at once.
const bytesV4 = Buffer.alloc(SOCKADDR_IN_BYTES);
const bytesV6 = Buffer.alloc(SOCKADDR_IN6_BYTES);

/**
 * The original destination, or null when the connection was not redirected (or the handle is gone).
 * About 1 us.
 */
export function originalDestination(socket: Socket): Destination | null {
  const local = socket.localAddress;
  if (local === undefined) return null;
  return isIPv4(normalizeIp(local)) ? destinationV4(socket) : destinationV6(socket);
}

function destinationV4(socket: Socket): Destination | null {
  const bytes = bytesV4;
  if (getSocketOption(socket, SOL_IP, SO_ORIGINAL_DST, bytes) < 0) return null;
  return {
    address: `${bytes[4]}.${bytes[5]}.${bytes[6]}.${bytes[7]}`,
    port: bytes.readUInt16BE(2),
  };
}

function destinationV6(socket: Socket): Destination | null {
  const bytes = bytesV6;
  if (getSocketOption(socket, SOL_IPV6, SO_ORIGINAL_DST, bytes) < 0) return null;
  const groups: string[] = [];
  for (let offset = 8; offset < 24; offset += 2) {
    groups.push(bytes.readUInt16BE(offset).toString(16));
  }
  return { address: canonicalIp(groups.join(":")), port: bytes.readUInt16BE(2) };
}
