// What the tour adds to the demo: a client with app-a's own identity, a pair of pods without the mesh
// (so that the packet capture can be seen to find something), and a pair whose certificates live for
// thirty seconds; and one that can ask for an identity by itself. Applied and removed by the tour.
import type { KubernetesObject } from "../mesh.ts";

export const meshedClient = "app-a/tour-client";
export const plainClient = "outside/plain-client";
export const plainServer = "outside/tour-server";
/** Has a sidecar's token and trust bundle, and no sidecar. */
export const prober = "app-a/tour-prober";
export const plainServerUrl = "http://tour-server.outside.svc.cluster.local./hello";
export const rotationClient = "rotation/client";
export const rotationServer = "rotation/server";
export const rotationUrl = "http://server.rotation.svc.cluster.local./hello";
export const rotationLifetimeS = 30;
/** The same server at a port of opaque TCP: one connection of the caller's is one between the sidecars. */
const heldPort = 6379;
export const heldTarget: string = `held.rotation.svc.cluster.local:${heldPort}`;

/** The full name of an image of ours, as "client". */
export type ImageNames = (name: string) => string;

/** The tour's images come from where the demo's client came from; null: as they are built here. Pure. */
export function imagesLike(client: string | null): ImageNames {
  const [, place = "", tag = ""] = /^(.*\/)client(:[^:@/]+)?(?:@.*)?$/.exec(client ?? "") ?? [];
  return (name) => (place === "" ? `signet/${name}` : `${place}${name}${tag}`);
}

interface Workload {
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly image: string;
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Mounts what a sidecar mounts. */
  readonly hasToken?: boolean;
}

const shortLife = { "signet.dev/svid-lifetime": `${rotationLifetimeS}s` };
const quietServer = { VERSION: "1.0", FAIL_RATE: "0", LOG_REQUESTS: "false" };

const identityMounts = [
  { name: "token", mountPath: "/var/run/secrets/signet", readOnly: true },
  { name: "trust", mountPath: "/var/run/signet/trust", readOnly: true },
];
const identityVolumes = [
  {
    name: "token",
    projected: {
      sources: [
        {
          serviceAccountToken: { audience: "signet-ca", expirationSeconds: 600, path: "token" },
        },
      ],
    },
  },
  { name: "trust", configMap: { name: "signet-trust-bundle" } },
];

/** Needed from the beginning to the end of the tour. */
export const tourObjects = (images: ImageNames): readonly KubernetesObject[] => [
  deployment({
    namespace: "app-a",
    name: "tour-client",
    serviceAccount: "app-a",
    image: images("client"),
    arguments: ["--idle"],
  }),
  deployment({
    namespace: "app-a",
    name: "tour-prober",
    serviceAccount: "app-a",
    image: images("tour"),
    arguments: ["--idle"],
    annotations: { "signet.dev/inject": "disabled" },
    hasToken: true,
  }),
  serviceAccount("outside", "tour-server"),
  deployment({
    namespace: "outside",
    name: "tour-server",
    serviceAccount: "tour-server",
    image: images("app-b"),
    environment: quietServer,
  }),
  service("outside", "tour-server"),
];

export const rotationObjects = (images: ImageNames): readonly KubernetesObject[] => [
  {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "rotation", labels: { "signet.dev/inject": "enabled" } },
  },
  serviceAccount("rotation", "client"),
  serviceAccount("rotation", "server"),
  deployment({
    namespace: "rotation",
    name: "client",
    serviceAccount: "client",
    image: images("client"),
    arguments: ["--idle"],
    annotations: shortLife,
  }),
  deployment({
    namespace: "rotation",
    name: "server",
    serviceAccount: "server",
    image: images("app-b"),
    environment: quietServer,
    annotations: shortLife,
  }),
  service("rotation", "server"),
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "held", namespace: "rotation" },
    spec: {
      selector: { app: "server" },
      ports: [{ name: "held", port: heldPort, targetPort: 8080 }],
    },
  },
];

function serviceAccount(namespace: string, name: string): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name, namespace },
    automountServiceAccountToken: false,
  };
}

function service(namespace: string, name: string): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  };
}

function deployment(workload: Workload): KubernetesObject {
  const { namespace, name, image } = workload;
  const environment = Object.entries(workload.environment ?? {});
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name }, annotations: workload.annotations ?? {} },
        spec: {
          serviceAccountName: workload.serviceAccount,
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 5,
          securityContext: { runAsNonRoot: true, runAsUser: 10_001, runAsGroup: 10_001 },
          containers: [
            {
              name,
              image,
              args: workload.arguments ?? [],
              imagePullPolicy: "IfNotPresent",
              env: environment.map(([key, value]) => ({ name: key, value })),
              volumeMounts: workload.hasToken === true ? identityMounts : [],
            },
          ],
          volumes: workload.hasToken === true ? identityVolumes : [],
        },
      },
    },
  };
}
