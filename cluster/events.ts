// The world as the controller needs it: minimal records of Kubernetes objects and the events that
// bring them. Whoever watches (the local runtime's socket, informers later) delivers these.
import type { DecodeError } from "./decode-error.ts";
import type { RetryWish } from "./retry-annotation.ts";

export type Kind =
  | "Namespace"
  | "Pod"
  | "Service"
  | "EndpointSlice"
  | "HTTPRoute"
  | "PeerAuthentication"
  | "IdentitySuspension"
  | "FederatedTrustDomain"
  | "ServiceAccount";

export type Labels = Readonly<Record<string, string>>;

export interface Meta {
  /** Empty for what has no namespace. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  /** Milliseconds since the Unix epoch; 0 when it is not told. */
  readonly createdAt: number;
}

export interface NamespaceRecord {
  readonly kind: "Namespace";
  readonly meta: Meta;
}

export interface ServiceAccountRecord {
  readonly kind: "ServiceAccount";
  readonly meta: Meta;
}

type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";

export interface PodRecord {
  readonly kind: "Pod";
  readonly meta: Meta;
  readonly serviceAccount: string;
  /** All of its addresses; empty until it has one. */
  readonly addresses: readonly string[];
  readonly phase: PodPhase;
  /** Where it runs; empty until it is scheduled, and where there are no nodes. */
  readonly node: string;
  /** Shares the node's address. */
  readonly hostNetwork: boolean;
  /** Deletion has begun; it may still serve. */
  readonly terminating: boolean;
}

export interface ServicePortRecord {
  /** Empty when the only port has no name. */
  readonly name: string;
  readonly port: number;
  /** Number or name; null when it is not told (then it is `port`). */
  readonly targetPort: number | string | null;
  readonly appProtocol: string | null;
}

export interface ServiceRecord {
  readonly kind: "Service";
  readonly meta: Meta;
  /** Empty for a headless service. */
  readonly addresses: readonly string[];
  /** ExternalName: a DNS alias without endpoints. */
  readonly external: boolean;
  /** TCP only. */
  readonly ports: readonly ServicePortRecord[];
}

export interface PodReference {
  readonly namespace: string;
  readonly name: string;
  /** Empty when it is not told. */
  readonly uid: string;
}

interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly ready: boolean;
  /** null: not backed by a pod. */
  readonly pod: PodReference | null;
}

interface SlicePort {
  readonly name: string;
  readonly port: number;
}

export interface EndpointSliceRecord {
  readonly kind: "EndpointSlice";
  readonly meta: Meta;
  /** Name of the service in the same namespace. */
  readonly service: string;
  readonly ports: readonly SlicePort[];
  /** The annotation that says whom endpoints that are no pods must prove to be, as it was written; or null. */
  readonly identity: string | null;
  readonly endpoints: readonly SliceEndpoint[];
}

export interface RouteParent {
  readonly namespace: string;
  readonly name: string;
  /** null: every port of the service. */
  readonly port: number | null;
  /** Of the port; null: whatever its name. */
  readonly portName: string | null;
}

export interface RouteMatchRecord {
  readonly path: { readonly kind: "exact" | "prefix"; readonly value: string };
  readonly method: string | null;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
}

export interface BackendRecord {
  /** "Service", or what nobody here can send requests to. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** 0 for what is no Service. */
  readonly port: number;
  readonly weight: number;
}

export interface RouteRuleRecord {
  /** Empty: everything. */
  readonly matches: readonly RouteMatchRecord[];
  readonly backends: readonly BackendRecord[];
  /** Of the rule's own field, or else of the route's annotation. */
  readonly retry: RetryWish | null;
  /** 0: none. */
  readonly requestTimeoutMs: number;
  readonly backendTimeoutMs: number;
}

export interface HttpRouteRecord {
  readonly kind: "HTTPRoute";
  readonly meta: Meta;
  /** Services only; other parents are of no concern to the mesh. */
  readonly parents: readonly RouteParent[];
  readonly rules: readonly RouteRuleRecord[];
}

type Mode = "strict" | "permissive" | "disable";

export interface PeerAuthenticationRecord {
  readonly kind: "PeerAuthentication";
  readonly meta: Meta;
  /** null: the whole namespace, or the whole mesh. */
  readonly selector: Labels | null;
  /** null: as the next wider policy says. */
  readonly mode: Mode | null;
  readonly ports: ReadonlyMap<number, Mode>;
  /** null: as the next wider policy says. */
  readonly requiresPostQuantum: boolean | null;
  /** SPIFFE IDs, and IDs of whole trust domains, as they were written; null: as the next wider policy says. */
  readonly foreignCallers: readonly string[] | null;
}

export interface IdentitySuspensionRecord {
  readonly kind: "IdentitySuspension";
  readonly meta: Meta;
  /** As it was written. */
  readonly identity: string;
  /** For people. */
  readonly reason: string;
}

export interface FederatedTrustDomainRecord {
  readonly kind: "FederatedTrustDomain";
  readonly meta: Meta;
  /** As it was written. */
  readonly spec: {
    readonly trustDomain: string;
    readonly bundleEndpointURL: string;
    readonly bundleEndpointProfile: {
      readonly type: string;
      readonly endpointSPIFFEID?: string | undefined;
      readonly caBundle?: string | undefined;
    };
    readonly trustDomainBundle?: string | undefined;
  };
}

export type WorldObject =
  | NamespaceRecord
  | ServiceAccountRecord
  | PodRecord
  | ServiceRecord
  | EndpointSliceRecord
  | HttpRouteRecord
  | PeerAuthenticationRecord
  | IdentitySuspensionRecord
  | FederatedTrustDomainRecord;

/** invalid: cannot be read, what was known of it stays. disconnected: all that is known stays. */
export type WorldEvent =
  | { readonly type: "applied"; readonly object: WorldObject }
  | { readonly type: "deleted"; readonly kind: Kind; readonly key: string }
  | { readonly type: "invalid"; readonly error: DecodeError }
  | { readonly type: "synced" }
  | { readonly type: "disconnected"; readonly reason: string };

/** "namespace/name", or the name alone for what has no namespace. */
export function keyOfMeta({ namespace, name }: { namespace: string; name: string }): string {
  return namespace === "" ? name : `${namespace}/${name}`;
}
