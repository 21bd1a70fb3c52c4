// Addresses as text in one canonical form, and CIDR blocks. An IPv4 address that arrives mapped into
// IPv6 (::ffff:a.b.c.d, as dual-stack sockets report it) is the IPv4 address.
import { BlockList, isIP, isIPv4 } from "node:net";
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
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port >= 1 && port <= 65_535)) {
    throw new AddressError("address_invalid", `Cannot read "${text}" as host:port`, {
      next: 'Write it as "name:8443" or "[fd00::1]:8443"',
    });
  }
  return { host, port };
}

/** A set of CIDR blocks or single addresses. */
export class CidrSet {
  readonly #blocks = new BlockList();

  /** Throws AddressError at the first text that is no CIDR. */
  constructor(blocks: readonly string[]) {
    for (const text of blocks) {
      const [address = "", bits, ...rest] = text.split("/");
      const version = isIP(address);
      const width = version === 4 ? 32 : 128;
      const prefix = bits === undefined ? width : Number(bits);
      const valid = Number.isInteger(prefix) && prefix >= 0 && prefix <= width && bits !== "";
      if (version === 0 || rest.length > 0 || !valid) {
        throw new AddressError("address_invalid", `Cannot read "${text}" as an address block`, {
          next: 'Write it as "10.0.0.0/8" or "fd00::/8"',
        });
      }
      this.#blocks.addSubnet(address, prefix, version === 4 ? "ipv4" : "ipv6");
    }
  }

  has(address: string): boolean {
    const normal = normalizeIp(address);
    const version = isIP(normal);
    return version !== 0 && this.#blocks.check(normal, version === 4 ? "ipv4" : "ipv6");
  }
}
