// What a single resource must be like before a sidecar believes it, whoever sent it. The controller
// asserts the same on what it compiles. Pure.
import { isIP } from "node:net";
import { assertNever } from "#/lib/assert.ts";
import type { Cluster, Endpoint, Resource, RetryPolicy, Route, RouteMatch } from "./discovery.ts";
import type { JwtAuthority } from "#/identity/jwt-svid.ts";
import type { Service, ServicePort, Suspended, TrustBundle } from "./discovery.ts";
import { DiscoveryError } from "./discovery.ts";
import { messageOf } from "#/lib/errors.ts";
import { checkForeignCaller } from "./policy.ts";
import type { ServerPolicy } from "./policy.ts";

/** Kubernetes puts 1,000 endpoints into one EndpointSlice; this is fifty of them. */
export const endpointsPerClusterMax = 50_000;
export const portsPerServiceMax = 256;
/** Gateway API allows 16 rules a route; several routes may join on one port. */
export const routesPerPortMax = 256;
/** Gateway API allows 128 over a whole route, and 64 a rule. */
export const matchesPerRouteMax = 64;
export const headersPerMatchMax = 16;
export const backendsPerRouteMax = 64;
/** Gateway API bounds a weight by 1,000,000. */
export const weightMax = 1_000_000;
/** Repeats of one request: beyond this a retry is a flood. */
export const retryAttemptsMax = 16;
export const retryCodesMax = 32;
/** As many as a bundle file may hold. */
export const rootsMax = 32;
/** As many texts of 100 bytes make one message of 1 MB; whoever has more to suspend has another problem. */
export const suspendedMax = 10_000;
/** Names of foreign callers in one policy; whoever has more names their trust domain. */
export const foreignCallersMax = 1_000;
/** DER of one root: P-384 with long names stays below 2 KiB; RSA-4096 too. */
export const rootBytesMax = 8192;
/** Three days' keys of each intermediate that there may be at a time. */
export const jwtAuthoritiesMax = 32;
/** A P-256 key has 91, and its name 43. */
export const jwtAuthorityBytesMax = 512;
/** "namespace/service:port" at the longest; names are also keys of maps and labels. */
export const nameBytesMax = 512;
/** Texts to match: method, header value, path. */
export const matchTextBytesMax = 4096;
/** A day: what waits longer is a fault in configuration. */
export const durationMsMax = 86_400_000;

const token = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;
const lowerToken = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const hostName = /^[a-z0-9_]([a-z0-9._-]{0,252}[a-z0-9_])?$/;
/** Printable, without controls: what may stand in a header value. */
const fieldText = /^[\t\x20-\x7e\x80-\uffff]*$/;

/** Throws DiscoveryError (update_invalid or limit_exceeded) at the first rule that is broken. */
export function checkResource(resource: Resource): void {
  const { kind, name, version } = resource;
  const at = `${kind} "${name.slice(0, 80)}"`;
  limit(at, "name bytes", name.length, nameBytesMax);
  rule(version !== "" && version.length <= 128, at, "its version is empty or too long");
  switch (kind) {
    case "service":
      rule(name !== "" && resource.service.name === name, at, "the service has another name");
      return checkService(at, resource.service);
    case "cluster":
      rule(name !== "" && resource.cluster.name === name, at, "the cluster has another name");
      return checkCluster(at, resource.cluster);
    case "serverPolicy":
      rule(name === "", at, "there is one policy and it has no name");
      return checkPolicy(at, resource.policy);
    case "trustBundle":
      rule(name === "", at, "there is one bundle and it has no name");
      return checkBundle(at, resource.bundle);
    case "tokenKeys":
      rule(name === "", at, "there is one list of token keys and it has no name");
      return checkTokenKeys(at, resource.authorities);
    case "suspensions":
      rule(name === "", at, "there is one list and it has no name");
      return checkSuspended(at, resource.suspended);
    case "federatedBundle":
      rule(resource.bundle.trustDomain === name, at, "the bundle is of another trust domain");
      checkRoots(at, resource.bundle.roots);
      return checkTokenKeys(at, resource.bundle.jwtAuthorities);
    default:
      assertNever(kind);
  }
}

function checkService(at: string, service: Service): void {
  limit(at, "ports", service.ports.length, portsPerServiceMax);
  for (const address of service.addresses) {
    rule(isIP(address) !== 0, at, `"${address}" is not an address`);
  }
  for (const host of service.hosts) rule(hostName.test(host), at, `"${host}" is not a host name`);
  const ports = new Set<number>();
  for (const port of service.ports) {
    rule(!ports.has(port.port), at, `port ${port.port} is there twice`);
    ports.add(port.port);
    checkServicePort(`${at} port ${port.port}`, port);
  }
}

function checkServicePort(at: string, port: ServicePort): void {
  checkPort(at, port.port);
  limit(at, "routes", port.routes.length, routesPerPortMax);
  rule(port.routes.length > 0, at, "it has no route");
  rule(port.routes.at(-1)?.matches.length === 0, at, "its last route does not match everything");
  for (const route of port.routes) checkRoute(`${at} route "${route.name}"`, route);
}

function checkRoute(at: string, route: Route): void {
  limit(at, "matches", route.matches.length, matchesPerRouteMax);
  limit(at, "backends", route.backends.length, backendsPerRouteMax);
  for (const { weight } of route.backends) {
    rule(Number.isInteger(weight) && weight >= 0, at, `weight ${weight} is not a whole number`);
    limit(at, "weight", weight, weightMax);
  }
  for (const match of route.matches) checkMatch(at, match);
  checkDuration(at, route.requestTimeoutMs);
  if (route.retry !== null) checkRetry(at, route.retry);
}

function checkMatch(at: string, match: RouteMatch): void {
  const { path, method, headers } = match;
  if (path !== null) {
    limit(at, "path bytes", path.value.length, matchTextBytesMax);
    rule(
      path.value.startsWith("/"),
      at,
      `path "${path.value.slice(0, 80)}" does not begin with "/"`,
    );
    rule(fieldText.test(path.value), at, "a path has a control character");
  }
  if (method !== null) {
    rule(token.test(method) && method.length <= 64, at, `"${method.slice(0, 80)}" is not a method`);
  }
  limit(at, "headers", headers.length, headersPerMatchMax);
  for (const { name, value } of headers) {
    rule(lowerToken.test(name), at, `"${name.slice(0, 80)}" is not a lower-case header name`);
    limit(at, "header bytes", name.length + value.length, matchTextBytesMax);
    rule(fieldText.test(value), at, `header "${name.slice(0, 80)}" has a control character`);
  }
}

function checkRetry(at: string, retry: RetryPolicy): void {
  limit(at, "retry codes", retry.codes.length, retryCodesMax);
  for (const code of retry.codes) {
    rule(
      Number.isInteger(code) && code >= 400 && code <= 599,
      at,
      `${code} is not an error status`,
    );
  }
  rule(Number.isInteger(retry.attempts) && retry.attempts >= 0, at, "attempts are not a number");
  limit(at, "retry attempts", retry.attempts, retryAttemptsMax);
  checkDuration(at, retry.backoffMs);
  checkDuration(at, retry.perTryTimeoutMs);
}

function checkCluster(at: string, cluster: Cluster): void {
  limit(at, "endpoints", cluster.endpoints.length, endpointsPerClusterMax);
  const seen = new Set<string>();
  for (const endpoint of cluster.endpoints) {
    checkEndpoint(at, endpoint);
    const key = `${endpoint.address} ${endpoint.port}`;
    rule(!seen.has(key), at, `endpoint "${key}" is there twice`);
    seen.add(key);
  }
}

function checkEndpoint(at: string, endpoint: Endpoint): void {
  rule(isIP(endpoint.address) !== 0, at, `"${endpoint.address.slice(0, 80)}" is not an address`);
  checkPort(at, endpoint.port);
}

function checkPolicy(at: string, policy: ServerPolicy): void {
  limit(at, "ports", policy.ports.size, portsPerServiceMax);
  for (const port of policy.ports.keys()) checkPort(at, port);
  limit(at, "foreign callers", policy.foreignCallers.size, foreignCallersMax);
  for (const caller of policy.foreignCallers) checkCaller(at, caller);
}

/** One that cannot be read is nobody, and whoever wrote it meant somebody: it must not pass in silence. */
function checkCaller(at: string, caller: string): void {
  try {
    checkForeignCaller(caller);
  } catch (thrown) {
    rule(false, at, messageOf(thrown));
  }
}

function checkBundle(at: string, { roots, authority }: TrustBundle): void {
  checkRoots(at, roots);
  rule(authority === undefined || /^[0-9a-f]{64}$/.test(authority), at, "authority is no SHA-256");
}

function checkRoots(at: string, roots: readonly Uint8Array[]): void {
  rule(roots.length > 0, at, "it has no root");
  limit(at, "roots", roots.length, rootsMax);
  for (const root of roots) {
    rule(root.length > 0, at, "a root is empty");
    limit(at, "root bytes", root.length, rootBytesMax);
  }
}

function checkTokenKeys(at: string, authorities: readonly JwtAuthority[]): void {
  limit(at, "keys", authorities.length, jwtAuthoritiesMax);
  for (const { keyId, publicKey } of authorities) {
    rule(keyId !== "", at, "a key has no name");
    limit(at, "key bytes", keyId.length + publicKey.length, jwtAuthorityBytesMax);
  }
}

function checkSuspended(at: string, suspended: Suspended): void {
  limit(at, "identities", suspended.size, suspendedMax);
}

function checkPort(at: string, port: number): void {
  rule(Number.isInteger(port) && port >= 1 && port <= 65_535, at, `${port} is not a port`);
}

function checkDuration(at: string, ms: number): void {
  rule(Number.isInteger(ms) && ms >= 0, at, `${ms} ms is not a duration`);
  limit(at, "duration ms", ms, durationMsMax);
}

function rule(holds: boolean, at: string, state: string): void {
  if (!holds) throw new DiscoveryError("update_invalid", `Cannot accept ${at}: ${state}`);
}

function limit(at: string, noun: string, found: number, max: number): void {
  if (found > max) {
    throw new DiscoveryError(
      "limit_exceeded",
      `Cannot accept ${at}: ${noun} ${found} above ${max}`,
    );
  }
}
