// What the controller tells a sidecar, as plain readonly records. Both sides work on these; the wire
// form is known to convert.ts alone.
import type { JwtAuthority } from "#/identity/jwt-svid.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import { MeshError } from "#/lib/errors.ts";
import type { ServerPolicy } from "./policy.ts";

/** detect: the first bytes decide; http: HTTP is expected; tcp: passed on unread. */
export type Protocol = "detect" | "http" | "tcp";

export interface Endpoint {
  /** IPv4 or IPv6, without brackets. */
  readonly address: string;
  readonly port: number;
  /** What the endpoint must prove; null: not in the mesh, spoken to in plaintext. */
  readonly identity: SpiffeId | null;
  /** "namespace/name" of the pod, for logs; empty when unknown. */
  readonly pod: string;
}

export interface Cluster {
  /** "namespace/service:port". */
  readonly name: string;
  readonly protocol: Protocol;
  readonly endpoints: readonly Endpoint[];
}

export interface WeightedCluster {
  readonly cluster: string;
  /** Share among its siblings; 0 takes nothing. */
  readonly weight: number;
}

export interface RetryPolicy {
  /** Status codes that are tried again. */
  readonly codes: readonly number[];
  /** Repeats after the first try. */
  readonly attempts: number;
  readonly backoffMs: number;
  /** 0: none. */
  readonly perTryTimeoutMs: number;
}

export interface PathMatch {
  readonly kind: "exact" | "prefix";
  /** Begins with "/". A prefix matches whole segments: "/a" matches "/a/b" and not "/ab". */
  readonly value: string;
}

export interface HeaderMatch {
  /** Lower case. */
  readonly name: string;
  readonly value: string;
}

/** All that is not null must match. */
export interface RouteMatch {
  readonly path: PathMatch | null;
  readonly method: string | null;
  readonly headers: readonly HeaderMatch[];
}

export interface Route {
  readonly name: string;
  /** Any of them; empty matches everything. */
  readonly matches: readonly RouteMatch[];
  /** Empty, or weights that are all 0: the request is answered with 500. */
  readonly backends: readonly WeightedCluster[];
  /** null: only what is always safe is repeated. */
  readonly retry: RetryPolicy | null;
  /** 0: none. */
  readonly requestTimeoutMs: number;
}

export interface ServicePort {
  readonly port: number;
  readonly protocol: Protocol;
  /** In order of precedence, never empty: the last one matches everything. */
  readonly routes: readonly Route[];
}

export interface Service {
  /** "namespace/name". */
  readonly name: string;
  /** Cluster addresses; empty for a headless service. */
  readonly addresses: readonly string[];
  /** DNS names, lower case, without trailing dot. */
  readonly hosts: readonly string[];
  readonly ports: readonly ServicePort[];
}

export interface TrustBundle {
  readonly trustDomain: TrustDomain;
  /** DER; never empty. */
  readonly roots: readonly Uint8Array[];
  /**
   * SHA-256 of the intermediate that issuers hang from now, lower-case hex: a certificate that does not
   * hang from it is to be renewed soon. Left out: not told.
   */
  readonly authority?: string;
}

/** Of another trust domain that the mesh is federated with: it speaks for that one and for no other. */
export interface FederatedBundle {
  readonly trustDomain: TrustDomain;
  /** DER; never empty. */
  readonly roots: readonly Uint8Array[];
  readonly jwtAuthorities: readonly JwtAuthority[];
}

/** By the trust domain that each speaks for. */
export type FederatedBundles = ReadonlyMap<TrustDomain, FederatedBundle>;

/** Identities that nobody speaks with, in either direction, whatever certificate they show. */
export type Suspended = ReadonlySet<SpiffeId>;

export type ResourceKind =
  | "service"
  | "cluster"
  | "serverPolicy"
  | "trustBundle"
  | "suspensions"
  | "tokenKeys"
  | "federatedBundle";

interface ResourceHead<Kind extends ResourceKind> {
  readonly kind: Kind;
  /** Name of the service, cluster or federated trust domain; empty for the kinds of which there is one. */
  readonly name: string;
  /** Hash of the content: equal versions are equal resources. */
  readonly version: string;
}

export type ServiceResource = ResourceHead<"service"> & { readonly service: Service };
export type ClusterResource = ResourceHead<"cluster"> & { readonly cluster: Cluster };
export type PolicyResource = ResourceHead<"serverPolicy"> & { readonly policy: ServerPolicy };
export type BundleResource = ResourceHead<"trustBundle"> & { readonly bundle: TrustBundle };
/** What JWT-SVIDs are verified with. */
export type TokenKeysResource = ResourceHead<"tokenKeys"> & {
  readonly authorities: readonly JwtAuthority[];
};
export type SuspensionsResource = ResourceHead<"suspensions"> & { readonly suspended: Suspended };
export type FederatedBundleResource = ResourceHead<"federatedBundle"> & {
  readonly bundle: FederatedBundle;
};
export type Resource =
  | ServiceResource
  | ClusterResource
  | PolicyResource
  | BundleResource
  | SuspensionsResource
  | TokenKeysResource
  | FederatedBundleResource;

export interface ResourceKey {
  readonly kind: ResourceKind;
  readonly name: string;
}

/** What a client still has from an earlier stream. */
export interface HeldResource extends ResourceKey {
  readonly version: string;
}

/** Applied whole or not at all. */
export interface Update {
  /** 1 for the first update of a stream, then one more each time. */
  readonly sequence: number;
  readonly upserts: readonly Resource[];
  readonly removals: readonly ResourceKey[];
  /** After this update the client has all that the controller knew when it subscribed. */
  readonly synced: boolean;
}

export interface Hello {
  readonly podNamespace: string;
  readonly podName: string;
  readonly podUid: string;
  readonly held: readonly HeldResource[];
}

export type SubscriberMessage =
  | ({ readonly kind: "hello" } & Hello)
  | { readonly kind: "ack"; readonly sequence: number }
  | { readonly kind: "nack"; readonly sequence: number; readonly reason: string };

/**
 * wire_invalid: bytes that do not make a message of ours. update_invalid: a message that would leave
 * the snapshot inconsistent. limit_exceeded: more than a sidecar will hold.
 */
export type DiscoveryErrorCode = "wire_invalid" | "update_invalid" | "limit_exceeded";

export class DiscoveryError extends MeshError<DiscoveryErrorCode> {}

/** One text for a kind and a name, to key maps with. */
export function keyOf(key: ResourceKey): string {
  return `${key.kind}|${key.name}`;
}
