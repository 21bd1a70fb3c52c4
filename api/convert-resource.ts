// Resources between wire and model. Out: every model has a wire form. In: every wire form has a model
// or ends in a DiscoveryError; what a resource must be like beyond its shape is resource-check.ts.
import { create } from "@bufbuild/protobuf";
import type { JwtAuthority } from "#/identity/jwt-svid.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import { assertNever } from "#/lib/assert.ts";
import { messageOf } from "#/lib/errors.ts";
import type {
  Cluster,
  Endpoint,
  PathMatch,
  Protocol,
  Resource,
  ResourceKind,
} from "./discovery.ts";
import type { Route, RouteMatch, Service, ServicePort, Suspended } from "./discovery.ts";
import type { TrustBundle } from "./discovery.ts";
import { DiscoveryError } from "./discovery.ts";
import * as wire from "./gen/discovery_pb.ts";
import type { MtlsMode, ServerPolicy } from "./policy.ts";

const kindsToWire = {
  service: wire.ResourceKind.SERVICE,
  cluster: wire.ResourceKind.CLUSTER,
  serverPolicy: wire.ResourceKind.SERVER_POLICY,
  trustBundle: wire.ResourceKind.TRUST_BUNDLE,
  suspensions: wire.ResourceKind.SUSPENSIONS,
  tokenKeys: wire.ResourceKind.TOKEN_KEYS,
  federatedBundle: wire.ResourceKind.FEDERATED_BUNDLE,
} as const satisfies Record<ResourceKind, wire.ResourceKind>;

const protocolsToWire = {
  detect: wire.Protocol.DETECT,
  http: wire.Protocol.HTTP,
  tcp: wire.Protocol.TCP,
} as const satisfies Record<Protocol, wire.Protocol>;

const modesToWire = {
  strict: wire.MtlsMode.STRICT,
  permissive: wire.MtlsMode.PERMISSIVE,
  disable: wire.MtlsMode.DISABLE,
} as const satisfies Record<MtlsMode, wire.MtlsMode>;

const kindsFromWire = inverse<ResourceKind>(kindsToWire);
const protocolsFromWire = inverse<Protocol>(protocolsToWire);
const modesFromWire = inverse<MtlsMode>(modesToWire);

export function kindToWire(kind: ResourceKind): wire.ResourceKind {
  return kindsToWire[kind];
}

/** Throws DiscoveryError for a kind that this version does not know. */
export function kindFromWire(kind: wire.ResourceKind): ResourceKind {
  return known(kindsFromWire, kind, "resource kind");
}

export function resourceToWire(resource: Resource): wire.Resource {
  const { name, version } = resource;
  return create(wire.ResourceSchema, { name, version, content: contentToWire(resource) });
}

function contentToWire(resource: Resource): wire.Resource["content"] {
  switch (resource.kind) {
    case "service":
      return { case: "service", value: serviceToWire(resource.service) };
    case "cluster":
      return { case: "cluster", value: clusterToWire(resource.cluster) };
    case "serverPolicy":
      return { case: "serverPolicy", value: policyToWire(resource.policy) };
    case "trustBundle":
      return { case: "trustBundle", value: create(wire.TrustBundleSchema, bundleInit(resource)) };
    case "tokenKeys": {
      const authorities = resource.authorities.map((each) => create(wire.JwtAuthoritySchema, each));
      return { case: "tokenKeys", value: create(wire.TokenKeysSchema, { authorities }) };
    }
    case "federatedBundle": {
      const { roots, jwtAuthorities } = resource.bundle;
      const authorities = jwtAuthorities.map((each) => create(wire.JwtAuthoritySchema, each));
      const init = { roots: [...roots], authorities };
      return { case: "federatedBundle", value: create(wire.FederatedBundleSchema, init) };
    }
    case "suspensions": {
      const identities = [...resource.suspended].sort();
      return { case: "suspensions", value: create(wire.SuspensionsSchema, { identities }) };
    }
    default:
      return assertNever(resource);
  }
}

function bundleInit({ bundle }: { readonly bundle: TrustBundle }): {
  trustDomain: string;
  roots: Uint8Array[];
  authority: string;
} {
  const { trustDomain, roots, authority = "" } = bundle;
  return { trustDomain, roots: [...roots], authority };
}

function serviceToWire(service: Service): wire.Service {
  return create(wire.ServiceSchema, {
    addresses: [...service.addresses],
    hosts: [...service.hosts],
    ports: service.ports.map(({ port, protocol, routes }) => ({
      port,
      protocol: protocolsToWire[protocol],
      routes: routes.map(routeToWire),
    })),
  });
}

function routeToWire(route: Route): wire.Route {
  const { name, matches, backends, retry, requestTimeoutMs } = route;
  return create(wire.RouteSchema, {
    name,
    matches: matches.map(matchToWire),
    backends: backends.map(({ cluster, weight }) => ({ cluster, weight })),
    requestTimeoutMs,
    ...(retry === null ? {} : { retry: { ...retry, codes: [...retry.codes] } }),
  });
}

function matchToWire({ path, method, headers }: RouteMatch): wire.RouteMatch {
  return create(wire.RouteMatchSchema, {
    method: method ?? "",
    headers: headers.map(({ name, value }) => ({ name, value })),
    ...(path === null ? {} : { path: { match: { case: path.kind, value: path.value } } }),
  });
}

function clusterToWire(cluster: Cluster): wire.Cluster {
  return create(wire.ClusterSchema, {
    protocol: protocolsToWire[cluster.protocol],
    endpoints: cluster.endpoints.map(({ address, port, identity, pod }) => ({
      address,
      port,
      identity: identity ?? "",
      pod,
    })),
  });
}

function policyToWire(policy: ServerPolicy): wire.ServerPolicy {
  return create(wire.ServerPolicySchema, {
    mode: modesToWire[policy.mode],
    ports: [...policy.ports].map(([port, mode]) => ({ port, mode: modesToWire[mode] })),
    source: policy.source,
    requiresPostQuantum: policy.requiresPostQuantum,
    foreignCallers: [...policy.foreignCallers].sort(),
  });
}

/** Throws DiscoveryError when the content is missing or holds an unknown value. */
export function resourceFromWire(resource: wire.Resource): Resource {
  const { name, version, content } = resource;
  switch (content.case) {
    case "service":
      return { kind: "service", name, version, service: serviceFromWire(name, content.value) };
    case "cluster":
      return { kind: "cluster", name, version, cluster: clusterFromWire(name, content.value) };
    case "serverPolicy":
      return { kind: "serverPolicy", name, version, policy: policyFromWire(content.value) };
    case "trustBundle":
      return { kind: "trustBundle", name, version, bundle: bundleFromWire(content.value) };
    case "tokenKeys": {
      const authorities = authoritiesFromWire(content.value.authorities);
      return { kind: "tokenKeys", name, version, authorities };
    }
    case "federatedBundle": {
      const roots = content.value.roots.map((root) => new Uint8Array(root));
      const jwtAuthorities = authoritiesFromWire(content.value.authorities);
      const trustDomain = ours(() => parseTrustDomain(name));
      const bundle = { trustDomain, roots, jwtAuthorities };
      return { kind: "federatedBundle", name, version, bundle };
    }
    case "suspensions":
      return { kind: "suspensions", name, version, suspended: suspendedFromWire(content.value) };
    case undefined:
      throw wireInvalid(`resource "${name.slice(0, 80)}" has no content that is known`);
    default:
      return assertNever(content);
  }
}

function authoritiesFromWire(authorities: readonly wire.JwtAuthority[]): readonly JwtAuthority[] {
  return authorities.map(({ keyId, publicKey }) => {
    return { keyId, publicKey: new Uint8Array(publicKey) };
  });
}

function serviceFromWire(name: string, service: wire.Service): Service {
  const ports = service.ports.map(({ port, protocol, routes }): ServicePort => ({
    port,
    protocol: known(protocolsFromWire, protocol, "protocol"),
    routes: routes.map(routeFromWire),
  }));
  return { name, addresses: service.addresses, hosts: service.hosts, ports };
}

function routeFromWire(route: wire.Route): Route {
  const { name, matches, backends, retry, requestTimeoutMs } = route;
  return {
    name,
    matches: matches.map(matchFromWire),
    backends: backends.map(({ cluster, weight }) => ({ cluster, weight })),
    retry:
      retry === undefined
        ? null
        : {
            codes: retry.codes,
            attempts: retry.attempts,
            backoffMs: retry.backoffMs,
            perTryTimeoutMs: retry.perTryTimeoutMs,
          },
    requestTimeoutMs,
  };
}

function matchFromWire({ path, method, headers }: wire.RouteMatch): RouteMatch {
  return {
    path: path === undefined ? null : pathFromWire(path),
    method: method === "" ? null : method,
    headers: headers.map(({ name, value }) => ({ name, value })),
  };
}

/** A path match of a kind that is not known must not become "any path". */
function pathFromWire({ match }: wire.PathMatch): PathMatch {
  if (match.case === undefined) throw wireInvalid("path match is of no kind that is known");
  return { kind: match.case, value: match.value };
}

function clusterFromWire(name: string, cluster: wire.Cluster): Cluster {
  return {
    name,
    protocol: known(protocolsFromWire, cluster.protocol, "protocol"),
    endpoints: cluster.endpoints.map(endpointFromWire),
  };
}

function endpointFromWire({ address, port, identity, pod }: wire.Endpoint): Endpoint {
  return {
    address,
    port,
    identity: identity === "" ? null : ours(() => parseSpiffeId(identity)),
    pod,
  };
}

function policyFromWire(policy: wire.ServerPolicy): ServerPolicy {
  const ports = new Map<number, MtlsMode>();
  for (const { port, mode } of policy.ports) {
    if (ports.has(port)) throw wireInvalid(`policy names port ${port} twice`);
    ports.set(port, known(modesFromWire, mode, "mode"));
  }
  const { requiresPostQuantum, source } = policy;
  const foreignCallers = new Set(policy.foreignCallers);
  const mode = known(modesFromWire, policy.mode, "mode");
  return { mode, ports, requiresPostQuantum, foreignCallers, source };
}

function bundleFromWire({ trustDomain, roots, authority }: wire.TrustBundle): TrustBundle {
  return {
    trustDomain: ours(() => parseTrustDomain(trustDomain)),
    // Copies: what is kept must not keep the whole message with it.
    roots: roots.map((root) => new Uint8Array(root)),
    ...(authority === "" ? {} : { authority }),
  };
}

/** One that cannot be read may not be left out: whoever is meant would be spoken with. */
function suspendedFromWire({ identities }: wire.Suspensions): Suspended {
  return new Set(identities.map((text) => ours(() => parseSpiffeId(text))));
}

/** Runs a parser of another layer; what it throws becomes our own error. */
function ours<T>(parse: () => T): T {
  try {
    return parse();
  } catch (thrown) {
    throw wireInvalid(messageOf(thrown), thrown);
  }
}

/** The error for bytes that do not make a message of ours. */
export function wireInvalid(state: string, cause?: unknown): DiscoveryError {
  return new DiscoveryError("wire_invalid", `Cannot read the message: ${state}`, { cause });
}

function inverse<Name extends string>(table: Record<Name, number>): ReadonlyMap<number, Name> {
  return new Map(Object.entries<number>(table).map(([name, value]) => [value, name as Name]));
}

function known<Name>(table: ReadonlyMap<number, Name>, value: number, noun: string): Name {
  const name = table.get(value);
  if (name === undefined) throw wireInvalid(`${noun} ${value} is unknown`);
  return name;
}
