// A cluster as callers of each address family see it. Whoever dialled a Service by IPv6 is answered at
// its pods' IPv6 addresses, as without the mesh: an application may well listen on one family only.
// Where a cluster has none of the family (a backend of a route is single-stack), the others serve.
import type { ClusterState, EndpointState } from "./endpoint.ts";

export type Family = "ipv4" | "ipv6";

/** Of an address without brackets. */
export function familyOf(address: string): Family {
  return address.includes(":") ? "ipv6" : "ipv4";
}

export class ClusterFamilies {
  readonly ipv4: ClusterState;
  readonly ipv6: ClusterState;

  constructor(name: string) {
    this.ipv4 = { name, endpoints: [] };
    this.ipv6 = { name, endpoints: [] };
  }

  /** Swaps the endpoints of both, whole. */
  set(endpoints: readonly EndpointState[]): void {
    const ipv6 = endpoints.filter(({ address }) => familyOf(address) === "ipv6");
    const isMixed = ipv6.length > 0 && ipv6.length < endpoints.length;
    this.ipv6.endpoints = isMixed ? ipv6 : endpoints;
    this.ipv4.endpoints = isMixed
      ? endpoints.filter(({ address }) => familyOf(address) === "ipv4")
      : endpoints;
  }
}
