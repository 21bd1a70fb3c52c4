// Addresses as text in one canonical form. An IPv4 address that arrives mapped into
// IPv6 (::ffff:a.b.c.d, as dual-stack sockets report it) is the IPv4 address.
import { isIPv4, isIPv6 } from "node:net";
import { MeshError } from "./errors.ts";

export class AddressError extends MeshError<"address_invalid"> {}

const MAPPED = "::ffff:";

/** The canonical text of an address: lower case, IPv4 unmapped. Anything else comes back unchanged. */
export function normalizeIp(address: string): string {
  if (address.startsWith(MAPPED) && isIPv4(address.slice(MAPPED.length))) {
    return address.slice(MAPPED.length);
  }
  return address.toLowerCase();
}

/**
 * The one text of an address that may be written in many ways (by hand, in an object): as `normalizeIp`,
 * and IPv6 by RFC 5952, as kernels and API servers print it. Anything else comes back unchanged.
 */
export function canonicalIp(address: string): string {
  if (!isIPv6(address) || address.includes("%")) return address;
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(text) ?? [];
  if (high === undefined || low === undefined) return text;
  const [upper, lower] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [upper >> 8, upper & 0xff, lower >> 8, lower & 0xff].join(".");
}

export function isLoopback(address: string): boolean {
  const normal = normalizeIp(address);
  return normal === "::1" || (isIPv4(normal) && normal.startsWith("127."));
}

/** "host:port", with brackets around IPv6. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Splits "host:port" or "[v6]:port"; throws AddressError. The host keeps a trailing dot. */
export function parseHostPort(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(text);
  const [, inBrackets, plain] = match ?? [];
  const host = inBrackets ?? plain;
  const port = Number(match?.[3]);
  const wrong = inBrackets !== undefined && !isIPv6(inBrackets);
  if (host === undefined || wrong || !(port >= 1 && port <= 65_535)) {
    throw new AddressError("address_invalid", `Cannot read "${text}" as host:port`, {
      next: 'Write it as "name:8443" or "[fd00::1]:8443"',
    });
  }
  return { host, port };
}
