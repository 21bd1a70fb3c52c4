// From indexed objects to what sidecars are told: resources whose version is the hash of their content.
// Pure.
import { createHash } from "node:crypto";
import type { Cluster, Endpoint, Resource, Service } from "#/api/discovery.ts";
import type { BundleResource, ClusterResource, PolicyResource } from "#/api/discovery.ts";
import type {
  FederatedBundle,
  FederatedBundleResource,
  ServiceResource,
  Suspended,
  SuspensionsResource,
  TokenKeysResource,
} from "#/api/discovery.ts";
import type { JwtAuthority } from "#/identity/jwt-svid.ts";
import type { TrustBundle } from "#/api/discovery.ts";
import type { ServerPolicy } from "#/api/policy.ts";
import type { EndpointSliceRecord, PodReference, ServicePortRecord } from "#/cluster/events.ts";
import type { ServiceRecord } from "#/cluster/events.ts";
import { keyOfMeta } from "#/cluster/events.ts";
import { base64 } from "#/lib/base64.ts";
import { assertNever } from "#/lib/assert.ts";
import type { Resolution } from "./workloads.ts";
import type { Routes } from "./routes.ts";
import { compileRoutes, unresolvedCluster } from "./routes.ts";
import { clusterName, protocolOf } from "./services.ts";

/** DNS names of services end in this. */
const clusterDomain = "cluster.local";

/** The service with its ports, hosts and routes. */
export function compileService(
  service: ServiceRecord,
  routes: Routes,
  exists: (service: string, port: number) => boolean,
): ServiceResource {
  const key = keyOfMeta(service.meta);
  const { namespace, name } = service.meta;
  const attached = routes.routesOf(key);
  const compiled: Service = {
    name: key,
    addresses: service.addresses,
    hosts: [
      `${name}.${namespace}.svc.${clusterDomain}`,
      `${name}.${namespace}.svc`,
      `${name}.${namespace}`,
    ],
    ports: uniquePorts(service.ports).map((port) => ({
      port: port.port,
      protocol: protocolOf(port),
      routes: compileRoutes(attached, key, port, exists),
    })),
  };
  return versioned({ kind: "service", name: key, version: "", service: compiled });
}

/** One port of the service with its ready endpoints; those that cannot be told yet are left out. */
export function compileCluster(
  service: ServiceRecord,
  port: ServicePortRecord,
  slices: readonly EndpointSliceRecord[],
  resolve: (address: string, reference: PodReference | null, declared: string | null) => Resolution,
): ClusterResource {
  const name = clusterName(keyOfMeta(service.meta), port.port);
  const endpoints = new Map<string, Endpoint>();
  for (const slice of slices) {
    const target = slice.ports.find((each) => each.name === port.name);
    if (target === undefined) continue;
    for (const { addresses, ready, pod: reference } of slice.endpoints) {
      if (!ready) continue;
      for (const address of addresses) {
        const resolution = resolve(address, reference, slice.identity);
        if (resolution.kind === "unknown") continue;
        const { identity, pod } = resolution;
        const key = `${address} ${target.port}`;
        // Of two slices that name it, one that demands an identity goes first.
        if (identity === null && (endpoints.get(key)?.identity ?? null) !== null) continue;
        endpoints.set(key, { address, port: target.port, identity, pod });
      }
    }
  }
  const cluster: Cluster = {
    name,
    protocol: protocolOf(port),
    endpoints: [...endpoints]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([, each]) => each),
  };
  return versioned({ kind: "cluster", name, version: "", cluster });
}

/** The cluster that backends lead to which are not there. */
export function unresolvedResource(): ClusterResource {
  const cluster: Cluster = { name: unresolvedCluster, protocol: "detect", endpoints: [] };
  return versioned({ kind: "cluster", name: unresolvedCluster, version: "", cluster });
}

export function policyResource(policy: ServerPolicy): PolicyResource {
  return versioned({ kind: "serverPolicy", name: "", version: "", policy });
}

export function bundleResource(bundle: TrustBundle): BundleResource {
  return versioned({ kind: "trustBundle", name: "", version: "", bundle });
}

export function tokenKeysResource(authorities: readonly JwtAuthority[]): TokenKeysResource {
  return versioned({ kind: "tokenKeys", name: "", version: "", authorities });
}

export function federatedResource(bundle: FederatedBundle): FederatedBundleResource {
  const name = bundle.trustDomain;
  return versioned({ kind: "federatedBundle", name, version: "", bundle });
}

export function suspensionsResource(suspended: Suspended): SuspensionsResource {
  return versioned({ kind: "suspensions", name: "", version: "", suspended });
}

/** TCP ports of one service differ in number; the API server sees to it, other sources may not. */
export function uniquePorts(ports: readonly ServicePortRecord[]): readonly ServicePortRecord[] {
  const byNumber = new Map<number, ServicePortRecord>();
  for (const port of ports) if (!byNumber.has(port.port)) byNumber.set(port.port, port);
  return [...byNumber.values()];
}

function versioned<Kept extends Resource>(resource: Kept): Kept {
  return { ...resource, version: versionOf(resource) };
}

/** 128 bits of SHA-256 over the content: equal content is equal everywhere, whoever compiled it. */
function versionOf(resource: Resource): string {
  const digest = createHash("sha256")
    .update(JSON.stringify(contentOf(resource)))
    .digest();
  return digest.subarray(0, 16).toString("base64url");
}

function contentOf(resource: Resource): unknown {
  switch (resource.kind) {
    case "service":
      return resource.service;
    case "cluster":
      return resource.cluster;
    case "serverPolicy": {
      const { ports, foreignCallers } = resource.policy;
      return { ...resource.policy, ports: [...ports], foreignCallers: [...foreignCallers].sort() };
    }
    case "trustBundle": {
      const { trustDomain, roots, authority } = resource.bundle;
      const texts = roots.map((root) => base64(root));
      return { trustDomain, roots: texts, authority };
    }
    case "tokenKeys":
      return textsOf(resource.authorities);
    case "federatedBundle": {
      const { trustDomain, roots, jwtAuthorities } = resource.bundle;
      const texts = roots.map((root) => base64(root));
      return { trustDomain, roots: texts, jwtAuthorities: textsOf(jwtAuthorities) };
    }
    case "suspensions":
      return [...resource.suspended].sort();
    default:
      return assertNever(resource);
  }
}

function textsOf(authorities: readonly JwtAuthority[]): unknown {
  return authorities.map(({ keyId, publicKey }) => {
    return [keyId, base64(publicKey)];
  });
}
