// The PeerAuthentication that `signet strict` writes: the namespace's own, named default. Pure.
import type { KubernetesObject } from "./mesh.ts";

export type StrictMode = "STRICT" | "PERMISSIVE";

export function strictPolicy(namespace: string, mode: StrictMode): KubernetesObject {
  return {
    apiVersion: "signet.dev/v1alpha1",
    kind: "PeerAuthentication",
    metadata: { name: "default", namespace },
    spec: { mtls: { mode } },
  };
}
