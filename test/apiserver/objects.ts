// What the tests put into a real API server.

type Fields = Readonly<Record<string, unknown>>;

export const namespaceObject = (name: string, labels: Fields = {}): object => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});

export const accountObject = (namespace: string, name: string): object => ({
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: { namespace, name },
});

export const podObject = (namespace: string, name: string, account: string): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace, name, annotations: { "signet.dev/status": "injected" } },
  spec: { serviceAccountName: account, containers: [{ name: "app", image: "none" }] },
});

export const serviceObject = (namespace: string, name: string): object => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { namespace, name },
  spec: { ports: [{ name: "http", port: 80 }] },
});

export const policyObject = (namespace: string, mode: string): object => ({
  apiVersion: "signet.dev/v1alpha1",
  kind: "PeerAuthentication",
  metadata: { namespace, name: "default" },
  spec: { mtls: { mode } },
});

export const routeObject = (namespace: string, name: string, spec: Fields): object => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: { namespace, name },
  spec,
});

/** A reference to a Service of the route's own namespace. */
export const parentOf = (name: string, more: Fields = {}): Fields => ({
  group: "",
  kind: "Service",
  name,
  ...more,
});

/** Takes any spec, as a resource of another version might; the controller must not rely on it. */
export const laxPolicyResource: object = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "peerauthentications.signet.dev" },
  spec: {
    group: "signet.dev",
    scope: "Namespaced",
    names: {
      kind: "PeerAuthentication",
      listKind: "PeerAuthenticationList",
      plural: "peerauthentications",
      singular: "peerauthentication",
    },
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
      },
    ],
  },
};
