// Address ranges in the one spelling that iptables-save prints, so that rules can be compared as text.
import { SocketAddress, isIP } from "node:net";

export type Family = "ipv4" | "ipv6";

export interface Network {
  readonly family: Family;
  /** Canonical `address/length`; no bit set beyond the length. */
  readonly cidr: string;
}

export type ParsedNetwork =
  | { readonly kind: "network"; readonly network: Network }
  | { readonly kind: "fault"; readonly fault: string };

/** Reads `10.0.0.0/8`, `fd00::/8`, or a single address. Never throws; the fault reads after the text. */
export function parseNetwork(text: string): ParsedNetwork {
  const [address = "", length, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0 || address.includes("%")) return fault("is not a CIDR");
  const family: Family = version === 4 ? "ipv4" : "ipv6";
  const bits = version === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (prefix < 0 || prefix > bits) return fault(`needs a length from 0 to ${bits}`);
  if (prefix === 0) return fault("covers everything: nothing would be redirected");
  const canonical = new SocketAddress({ address, family }).address;
  const value = version === 4 ? ipv4Value(canonical) : ipv6Value(canonical);
  const hostBits = BigInt(bits - prefix);
  if ((value >> hostBits) << hostBits !== value) return fault("has bits set beyond its length");
  return { kind: "network", network: { family, cidr: `${canonical}/${prefix}` } };
}

function fault(text: string): ParsedNetwork {
  return { kind: "fault", fault: text };
}

function ipv4Value(address: string): bigint {
  return address.split(".").reduce((value, octet) => (value << 8n) | BigInt(octet), 0n);
}

function ipv6Value(address: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (dotted) {
    const low = ipv4Value(dotted[2]!);
    const groups = `${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
    return ipv6Value(`${dotted[1]}${groups}`);
  }
  const [head = "", tail] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  const groups = tail === undefined ? left : [...left, ...zeros, ...right];
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}
