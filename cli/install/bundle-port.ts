// What --bundle-port adds, so that other trust domains can fetch this one's bundle: the port at the
// controllers, a Service in front of it, and its opening in their NetworkPolicy. Pure.
import type { KubernetesObject } from "../mesh.ts";
import { mapContainers } from "./containers.ts";
import type { Loose } from "./containers.ts";

const portName = "bundle";
const controller = "signet-controller";

/** The very same object where the port changes nothing of it. */
export function withBundlePort(object: KubernetesObject, port: number | null): KubernetesObject {
  if (port === null || object.metadata.name !== controller) return object;
  if (object.kind === "StatefulSet") return withContainerPort(object, port);
  if (object.kind === "NetworkPolicy") return withOpening(object);
  return object;
}

/** For whoever exposes it (a LoadBalancer, or a gateway that passes TLS through): made only with the port. */
export function bundleService(port: number): KubernetesObject {
  const labels = { "app.kubernetes.io/name": controller, "app.kubernetes.io/part-of": "signet" };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "signet-bundle", namespace: "signet-system", labels },
    spec: {
      selector: { "app.kubernetes.io/name": controller },
      ports: [{ name: portName, port, targetPort: portName, appProtocol: "https" }],
    },
  };
}

function withContainerPort(object: KubernetesObject, port: number): KubernetesObject {
  return mapContainers(object, (container) => {
    const env = [
      ...(container["env"] as readonly Loose[]),
      { name: "SIGNET_BUNDLE_PORT", value: String(port) },
    ];
    const ports = [
      ...(container["ports"] as readonly Loose[]),
      { name: portName, containerPort: port },
    ];
    return { ...container, env, ports };
  });
}

function withOpening(object: KubernetesObject): KubernetesObject {
  const spec = object["spec"] as Loose;
  const ingress = (spec["ingress"] as readonly Loose[]).map((rule) =>
    Object.assign({}, rule, {
      ports: [...(rule["ports"] as readonly Loose[]), { port: portName, protocol: "TCP" }],
    }),
  );
  return { ...object, spec: { ...spec, ingress } };
}
