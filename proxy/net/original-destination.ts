// Where a redirected connection was going before iptables turned it to us: SO_ORIGINAL_DST, asked of
// the kernel through node:ffi. The only file that calls native code. Needs no capability.
import { dlopen } from "node:ffi";
import { isIPv4 } from "node:net";
import type { Socket } from "node:net";
import { canonicalIp, normalizeIp } from "#/lib/ip.ts";

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

const { functions } = dlopen("libc.so.6", {
  getsockopt: { arguments: ["i32", "i32", "i32", "buffer", "buffer"], return: "i32" },
});

// One pair of buffers for all calls: the call is synchronous and the answer is copied out at once.
const addressBytes = Buffer.alloc(SOCKADDR_IN6_BYTES);
const lengthBytes = Buffer.alloc(4);

/**
 * The original destination, or null when the connection was not redirected (or the handle is gone).
 * About 1 us.
 */
export function originalDestination(socket: Socket): Destination | null {
  const descriptor = descriptorOf(socket);
  const local = socket.localAddress;
  if (descriptor < 0 || local === undefined) return null;
  return isIPv4(normalizeIp(local)) ? destinationV4(descriptor) : destinationV6(descriptor);
}

function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle: { fd?: number } | null };
  return handle?.fd ?? -1;
}

function destinationV4(descriptor: number): Destination | null {
  lengthBytes.writeUInt32LE(SOCKADDR_IN_BYTES);
  if (functions.getsockopt(descriptor, SOL_IP, SO_ORIGINAL_DST, addressBytes, lengthBytes) !== 0) {
    return null;
  }
  const bytes = addressBytes;
  return {
    address: `${bytes[4]}.${bytes[5]}.${bytes[6]}.${bytes[7]}`,
    port: bytes.readUInt16BE(2),
  };
}

function destinationV6(descriptor: number): Destination | null {
  lengthBytes.writeUInt32LE(SOCKADDR_IN6_BYTES);
  if (
    functions.getsockopt(descriptor, SOL_IPV6, SO_ORIGINAL_DST, addressBytes, lengthBytes) !== 0
  ) {
    return null;
  }
  const groups: string[] = [];
  for (let offset = 8; offset < 24; offset += 2) {
    groups.push(addressBytes.readUInt16BE(offset).toString(16));
  }
  return { address: canonicalIp(groups.join(":")), port: addressBytes.readUInt16BE(2) };
}
