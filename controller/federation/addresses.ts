// Where a foreign bundle may be asked for. The URL stands in an object, so whoever writes that object makes
// the controller connect: never to itself, its node's own services, or a cloud's metadata (attack case 14).
// What is looked at is the address that is dialled, so no name can lead elsewhere in between. Pure.
import { BlockList, isIPv6 } from "node:net";
import { canonicalIp, parseHostPort } from "#/lib/ip.ts";

const forbidden = new BlockList();
// This host, loopback, link-local (metadata services), multicast, reserved and broadcast.
forbidden.addSubnet("0.0.0.0", 8, "ipv4");
forbidden.addSubnet("127.0.0.0", 8, "ipv4");
forbidden.addSubnet("169.254.0.0", 16, "ipv4");
forbidden.addSubnet("224.0.0.0", 4, "ipv4");
forbidden.addSubnet("240.0.0.0", 4, "ipv4");
forbidden.addSubnet("fe80::", 10, "ipv6");
forbidden.addSubnet("ff00::", 8, "ipv6");
// Unspecified, loopback, and ways to write an IPv4 address that no network needs any more.
forbidden.addSubnet("::", 96, "ipv6");
forbidden.addSubnet("2002::", 16, "ipv6");
// A cloud has its metadata service there.
forbidden.addAddress("fd00:ec2::254", "ipv6");

/** Hosts with ports ("name:8443") that alone may be asked; null: all that are not forbidden. */
export type AllowedEndpoints = ReadonlySet<string> | null;

/** Whether the endpoint may be asked at all, by its name. `host` as a URL has it, without brackets. */
export function isAllowedEndpoint(host: string, port: number, allowed: AllowedEndpoints): boolean {
  return allowed === null || allowed.has(endpointKey(host, port));
}

/**
 * Whether `address` may be dialled. What is forbidden may be all the same where it is allowed by that very
 * address: a mesh on one machine.
 */
export function isAllowedAddress(
  address: string,
  port: number,
  allowed: AllowedEndpoints,
): boolean {
  const normal = innerAddress(address);
  const family = isIPv6(normal) ? "ipv6" : "ipv4";
  if (!forbidden.check(normal, family)) return true;
  return allowed?.has(endpointKey(normal, port)) === true;
}

/** Reads "host:port,host:port". Throws AddressError. */
export function parseAllowedEndpoints(text: string): ReadonlySet<string> {
  const keys = text.split(",").map((each) => {
    const { host, port } = parseHostPort(each.trim());
    return endpointKey(host, port);
  });
  return new Set(keys);
}

/** The IPv4 address that an IPv6 one stands for: mapped, or translated on its way (NAT64, RFC 6052). */
function innerAddress(address: string): string {
  const text = canonicalIp(address.toLowerCase());
  return text.startsWith(translated)
    ? canonicalIp(`::ffff:${text.slice(translated.length)}`)
    : text;
}

const translated = "64:ff9b::";

function endpointKey(host: string, port: number): string {
  return `${canonicalIp(host.toLowerCase())} ${port}`;
}
