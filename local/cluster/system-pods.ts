// The mesh's own objects, as a cluster's manifests would make them: the controller's pod and Service.
import type { KubernetesObject } from "../objects.ts";

export const systemNamespace = "signet-system";
export const controllerName = "signet-controller";
export const adminSocketName = "admin.sock";

export interface ControllerFolders {
  /** root.crt, intermediate.crt, intermediate.key. */
  readonly authority: string;
  /** The ledger. */
  readonly data: string;
  /** world.sock and jwks.json. */
  readonly world: string;
  /** Where the controller makes its admin socket. */
  readonly admin: string;
}

const controllerUid = 10_002;
/** Where another mesh asks for this one's bundle. */
export const bundlePort = 8445;
/** Of a mesh on one machine: who tries a rotation out does not wait for minutes. */
const bundleRefreshHintS = 5;

export function systemObjects(
  folders: ControllerFolders,
  tokenIssuer: string,
  trustDomain: string,
): readonly KubernetesObject[] {
  const labels = { app: controllerName };
  const metadata = { name: controllerName, namespace: systemNamespace };
  const mounts = Object.entries(folders).map(([name]) => ({
    name,
    mountPath: `/run/signet/${name}`,
  }));
  const volumes = Object.entries(folders).map(([name, path]) => ({ name, hostPath: { path } }));
  const env = [
    ["SIGNET_TRUST_DOMAIN", trustDomain],
    ["SIGNET_CA_DIRECTORY", "/run/signet/authority"],
    ["SIGNET_DATA_DIRECTORY", "/run/signet/data"],
    ["SIGNET_WORLD", "unix:/run/signet/world/world.sock"],
    ["SIGNET_TOKEN_ISSUER", tokenIssuer],
    ["SIGNET_TOKEN_JWKS_FILE", "/run/signet/world/jwks.json"],
    ["SIGNET_ADMIN_SOCKET", `/run/signet/admin/${adminSocketName}`],
    ["SIGNET_BUNDLE_PORT", String(bundlePort)],
    ["SIGNET_BUNDLE_REFRESH_HINT_S", String(bundleRefreshHintS)],
  ].map(([name, value]) => ({ name, value }));
  const downward = [
    ["POD_NAME", "metadata.name"],
    ["POD_IP", "status.podIP"],
  ].map(([name, fieldPath]) => ({ name, valueFrom: { fieldRef: { fieldPath } } }));
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: systemNamespace } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: {
        selector: labels,
        ports: [
          { name: "grpc", port: 8443, targetPort: 8443, appProtocol: "kubernetes.io/h2c" },
          { name: "bundle", port: bundlePort, targetPort: bundlePort, appProtocol: "https" },
        ],
      },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: `${controllerName}-0`, namespace: systemNamespace, labels },
      spec: {
        serviceAccountName: controllerName,
        terminationGracePeriodSeconds: 5,
        securityContext: { runAsUser: controllerUid, runAsGroup: controllerUid },
        containers: [
          {
            name: "controller",
            image: "signet/controller",
            env: [...env, ...downward],
            ports: [
              { containerPort: 8443 },
              { containerPort: 8080 },
              { containerPort: bundlePort },
            ],
            startupProbe: { httpGet: { path: "/readyz", port: 8080 }, failureThreshold: 30 },
            readinessProbe: { httpGet: { path: "/readyz", port: 8080 }, periodSeconds: 5 },
            volumeMounts: mounts,
          },
        ],
        volumes,
      },
    },
  ];
}

export const controllerUser: number = controllerUid;
