// What the injector of a mesh puts into pods, so that what is injected here is what its webhook would have
// injected: from the mesh on the cluster, or from a bundle file and options.
import { readFile } from "node:fs/promises";
import type { KubernetesClient } from "#/cluster/kubernetes/client.ts";
import { objectPath } from "#/cluster/kubernetes/resources.ts";
import { bundleKeys, bundleName } from "#/cluster/kubernetes/trust-bundle.ts";
import { fingerprint, parsePem } from "#/identity/bundle.ts";
import { injectorDefaults, readWebhookConfig } from "#/injector/config.ts";
import type { InjectorConfig } from "#/injector/config.ts";
import { messageOf } from "#/lib/errors.ts";
import { orNull } from "../cluster-fault.ts";
import { imageOf } from "../install/render.ts";
import type { ImageOptions } from "../install/options.ts";
import { MeshAccessError } from "../mesh.ts";
import { MESH_NAMESPACE } from "../policy.ts";

const injectorName = "signet-injector";

/** Rejects with MeshAccessError when no mesh is there, and with KubernetesError. */
export async function settingsOfCluster(
  client: KubernetesClient,
  signal: AbortSignal,
): Promise<InjectorConfig> {
  const get = (kind: string, name: string): Promise<unknown> => {
    const path = objectPath({ kind, namespace: MESH_NAMESPACE, name });
    return orNull(client.call({ method: "GET", path, signal }));
  };
  const [deployment, bundle] = (await Promise.all([
    get("Deployment", injectorName),
    get("ConfigMap", bundleName),
  ])) as [DeploymentObject | null, BundleObject | null];
  const bundlePem = bundle?.data?.[bundleKeys.bundle];
  if (deployment === null || bundlePem === undefined) {
    const what =
      deployment === null ? "no mesh is on the cluster" : "it has not published its roots";
    throw new MeshAccessError("not_running", `Cannot learn what to inject: ${what}`, {
      next:
        deployment === null
          ? "Install it: signet install | kubectl apply -f -; or name its roots: --bundle FILE"
          : "See: kubectl logs -n signet-system statefulset/signet-controller",
    });
  }
  const { containers } = deployment.spec.template.spec;
  const env = containers.find(({ name }) => name === "injector")?.env ?? [];
  const { injector } = readWebhookConfig(
    Object.fromEntries(env.map(({ name, value }) => [name, value])),
  );
  return pinned(injector, bundlePem);
}

/** Rejects with MeshError for a file that holds no roots. */
export async function settingsOfFile(
  file: string,
  images: ImageOptions,
  trustDomain: string | null,
): Promise<InjectorConfig> {
  let bundlePem: string;
  try {
    bundlePem = await readFile(file, "utf8");
  } catch (cause) {
    throw new MeshAccessError("unreadable", `Cannot read "${file}": ${messageOf(cause)}`, {
      next: "Name a PEM file with the mesh's roots",
      cause,
    });
  }
  const { proxy, proxyInit } = injectorDefaults.images;
  const config: InjectorConfig = {
    ...injectorDefaults,
    images: { proxy: imageOf(proxy, images), proxyInit: imageOf(proxyInit, images) },
    trustDomain: trustDomain ?? injectorDefaults.trustDomain,
    rootFingerprints: [],
  };
  return pinned(config, bundlePem);
}

function pinned(config: InjectorConfig, bundlePem: string): InjectorConfig {
  if (config.rootFingerprints.length > 0) return config;
  return { ...config, rootFingerprints: parsePem(bundlePem).map((der) => fingerprint(der)) };
}

interface DeploymentObject {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly name: string;
          readonly env?: readonly { readonly name: string; readonly value?: string }[];
        }[];
      };
    };
  };
}

interface BundleObject {
  readonly data?: Readonly<Record<string, string>>;
}
