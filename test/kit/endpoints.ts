// Endpoints as the balancer sees them, all of them well.
import type { EndpointState } from "#/proxy/outbound/endpoint.ts";

export function endpoints(count: number): EndpointState[] {
  return Array.from({ length: count }, (_unused, index) => ({
    address: `10.0.0.${index}`,
    port: 80,
    identity: null,
    pod: "",
    local: false,
    name: `10.0.0.${index}:80`,
    activeRequests: 0,
    consecutiveFailures: 0,
    ejections: 0,
    ejectedUntilMs: 0,
  }));
}
