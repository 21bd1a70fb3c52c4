// Kubernetes objects for tests, as an API server would send them.
import { decodeObject } from "#/cluster/decode.ts";
import type { WorldEvent, WorldObject } from "#/cluster/events.ts";
import { keyOfMeta } from "#/cluster/events.ts";

type Fields = Readonly<Record<string, unknown>>;

/** "namespace/name". */
function metadata(key: string, fields: Fields = {}): Fields {
  const [namespace = "", name = ""] = key.split("/");
  return { namespace, name, uid: `uid-of-${name}`, ...fields };
}

export interface PodFields {
  readonly address?: string;
  readonly account?: string;
  readonly injected?: boolean;
  readonly phase?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly uid?: string;
  readonly hostNetwork?: boolean;
}

export function pod(key: string, fields: PodFields = {}): WorldObject {
  const { address = "10.1.0.1", account = "default", injected = true } = fields;
  return decodeObject({
    apiVersion: "v1",
    kind: "Pod",
    metadata: metadata(key, {
      labels: fields.labels ?? {},
      annotations: injected ? { "signet.dev/status": "injected" } : {},
      ...(fields.uid === undefined ? {} : { uid: fields.uid }),
    }),
    spec: {
      serviceAccountName: account,
      nodeName: "node-1",
      hostNetwork: fields.hostNetwork ?? false,
    },
    status: { podIP: address, phase: fields.phase ?? "Running" },
  });
}

export function service(key: string, spec: Fields = {}): WorldObject {
  const ports = [{ name: "http", port: 80, targetPort: 8080 }];
  return decodeObject({
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(key),
    spec: { clusterIP: "10.0.0.1", ports, ...spec },
  });
}

/** Each endpoint as "address" or "address@pod"; a leading "!" means not ready. */
export function slice(
  key: string,
  serviceName: string,
  endpoints: readonly string[],
  ports: readonly Fields[] = [{ name: "http", port: 8080 }],
): WorldObject {
  return decodeObject({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: metadata(key, { labels: { "kubernetes.io/service-name": serviceName } }),
    ports,
    endpoints: endpoints.map((text) => {
      const [address, podName] = text.replace("!", "").split("@");
      return {
        addresses: [address],
        conditions: { ready: !text.startsWith("!") },
        ...(podName === undefined
          ? {}
          : { targetRef: { kind: "Pod", name: podName, uid: `uid-of-${podName}` } }),
      };
    }),
  });
}

export function route(key: string, parent: Fields, rules: readonly Fields[], at = 1): WorldObject {
  return decodeObject({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: metadata(key, { creationTimestamp: new Date(at * 1000).toISOString() }),
    spec: { parentRefs: [{ group: "", kind: "Service", ...parent }], rules },
  });
}

export function policy(key: string, spec: Fields, at = 1): WorldObject {
  return decodeObject({
    apiVersion: "signet.dev/v1alpha1",
    kind: "PeerAuthentication",
    metadata: metadata(key, { creationTimestamp: new Date(at * 1000).toISOString() }),
    spec,
  });
}

export function suspension(name: string, identity: string): WorldObject {
  return decodeObject({
    apiVersion: "signet.dev/v1alpha1",
    kind: "IdentitySuspension",
    metadata: { name, creationTimestamp: new Date(1000).toISOString() },
    spec: { identity, reason: "a test" },
  });
}

export function applied(object: WorldObject): WorldEvent {
  return { type: "applied", object };
}

export function deleted(object: WorldObject): WorldEvent {
  return { type: "deleted", kind: object.kind, key: keyOfMeta(object.meta) };
}
