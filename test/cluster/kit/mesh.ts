// The mesh on the cluster, installed as a user would: once for all test files of a run.
import path from "node:path";
import { checkout } from "../settings.ts";
import { kubectl } from "./kubectl.ts";

const overlay = path.join(checkout, "k8s/overlays/development");
const rolloutMs = 180_000;

/** Installs the mesh; costs little when it is there. Resolves when all of it is ready. */
export async function installMesh(): Promise<void> {
  await applyMesh();
  for (const name of ["statefulset/signet-controller", "deployment/signet-injector"]) {
    await rollout(name, "signet-system");
  }
}

/** Takes it away with its namespace and all policies. Resolves when nothing of it is left. */
export async function uninstallMesh(): Promise<void> {
  const all = ["delete", "--kustomize", overlay, "--ignore-not-found", "--wait"];
  await kubectl(all, { timeoutMs: rolloutMs });
}

/** What kubectl says of each object. */
export function applyMesh(): Promise<string> {
  return kubectl(["apply", "--server-side", "--kustomize", overlay]);
}

/** Resolves when every replica is of the newest template and ready. */
export async function rollout(name: string, namespace: string): Promise<void> {
  const status = ["rollout", "status", name, `--namespace=${namespace}`];
  await kubectl([...status, `--timeout=${rolloutMs / 1000}s`], { timeoutMs: rolloutMs + 10_000 });
}
