// Who sits where. Every subject gets namespaces of its own with these same addresses, so that all of
// them cross the same path: client -> redirect -> outbound proxy -> veth -> redirect -> inbound proxy
// -> backend. Pure data.

export const layout = {
  /** The client and the outbound proxy. */
  client: "10.203.0.1",
  /** The inbound proxy and the backend, in the mesh. */
  server: "10.203.0.2",
  /** The backend outside the mesh: no proxy, no redirect. */
  outsider: "10.203.0.3",
  /** The controller, where a subject has one. */
  controller: "10.203.0.4",
  /** The injector, where it is measured. */
  injector: "10.203.0.5",
  serviceNetwork: "10.203.1.0/24",
  /** Service addresses: nobody holds them, only the redirect makes them work. */
  meshService: "10.203.1.10",
  outsideService: "10.203.1.11",
  servicePort: 80,
  backendPort: 8080,
  /** The same behind an opaque port. */
  opaqueServicePort: 81,
  opaqueBackendPort: 8081,
  outboundPort: 5000,
  inboundPort: 4000,
} as const;

/** User and group of every proxy: the redirect exempts exactly this pair. */
export const proxyUid = 1337;
/** Whoever else runs: client and backend. */
export const plainUid = 65_534;

/** Every proxy runs on this core, and nothing else does. */
export const proxyCore = 0;
/** Client, backend and control plane share this core. */
export const loadCore = 1;

export const hosts = {
  hop: "outside.outside.svc.cluster.local",
  pair: "app-b.app-b.svc.cluster.local",
} as const;

/** Where the client goes, and where the backend listens. */
export const portsOf: Readonly<
  Record<"http" | "tcp", { readonly service: number; readonly backend: number }>
> = {
  http: { service: layout.servicePort, backend: layout.backendPort },
  tcp: { service: layout.opaqueServicePort, backend: layout.opaqueBackendPort },
};

export const serviceAddress: Readonly<Record<"hop" | "pair", string>> = {
  hop: layout.outsideService,
  pair: layout.meshService,
};

export const identities = {
  client: "spiffe://cluster.local/ns/app-a/sa/app-a",
  server: "spiffe://cluster.local/ns/app-b/sa/app-b",
  trustDomain: "spiffe://cluster.local/",
} as const;

/** The DNS name in the server's throw-away certificate, for peers that can check nothing better. */
export const serverName = "app-b.app-b.svc.cluster.local";
