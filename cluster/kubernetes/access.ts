// Where the API server is and how we prove who we are to it: a pod's own service account, or a
// kubeconfig. In a pod that is two variables and two files, read again each minute because the kubelet
// replaces the token; the library that reads kubeconfigs costs 80 MiB and a quarter of a second, so it
// is loaded for those alone.
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Access, Credentials } from "./credentials.ts";
import { KubernetesError } from "./kubernetes-error.ts";

export type KubernetesPlace =
  | { readonly kind: "pod"; readonly host: string; readonly port: string }
  | { readonly kind: "kubeconfig"; readonly file: string };

const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";
/** The kubelet replaces a token when a fifth of its life is left: minutes, at the least. */
const keptMs = 60_000;

/** From KUBECONFIG and the two variables that every pod is given; the former is the stronger one. */
export function kubernetesPlace(environment: {
  readonly KUBECONFIG?: string | undefined;
  readonly KUBERNETES_SERVICE_HOST?: string | undefined;
  readonly KUBERNETES_SERVICE_PORT?: string | undefined;
}): KubernetesPlace | null {
  const { KUBECONFIG: file, KUBERNETES_SERVICE_HOST: host } = environment;
  if (file !== undefined && file !== "") return { kind: "kubeconfig", file };
  if (host === undefined || host === "") return null;
  return { kind: "pod", host, port: environment.KUBERNETES_SERVICE_PORT ?? "443" };
}

/** Rejects with KubernetesError when a kubeconfig cannot be used. */
export async function openAccess(
  place: KubernetesPlace,
  clock: Clock,
  folder: string = accountFolder,
): Promise<Access> {
  if (place.kind === "kubeconfig") {
    const { openKubeconfig } = await import("./kubeconfig.ts");
    return openKubeconfig({ file: place.file, context: null });
  }
  const { host, port } = place;
  const server = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { server, credentials: accountCredentials(folder, clock) };
}

function accountCredentials(folder: string, clock: Clock): () => Promise<Credentials> {
  let held: { readonly at: number; readonly credentials: Credentials } | null = null;
  return async () => {
    const now = clock.monotonic();
    if (held !== null && now - held.at < keptMs) return held.credentials;
    try {
      held = { at: now, credentials: await readAccount(folder) };
    } catch (thrown) {
      // While the kubelet replaces them the last ones are still good.
      if (held !== null) return held.credentials;
      const state = `Cannot read the service account: ${messageOf(thrown)}`;
      throw new KubernetesError("misconfigured", state, {
        next: `See that the pod has automountServiceAccountToken and may read ${folder}`,
        cause: thrown,
      });
    }
    return held.credentials;
  };
}

async function readAccount(folder: string): Promise<Credentials> {
  const read = (name: string): Promise<string> => readFile(path.join(folder, name), "utf8");
  const [ca, token] = await Promise.all([read("ca.crt"), read("token")]);
  if (token.trim() === "") throw new Error("the token is empty");
  const authorization = `Bearer ${token.trim()}`;
  return { ca, certificate: null, privateKey: null, serverName: null, authorization };
}
