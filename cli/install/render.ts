// One object of k8s/base as options change it. Pure: what no option names stays as it is.
import type { KubernetesObject } from "../mesh.ts";
import { bundleService, withBundlePort } from "./bundle-port.ts";
import { mapContainers, mapPodSpec } from "./containers.ts";
import type { Loose } from "./containers.ts";
import type { ImageOptions, InstallOptions, Storage } from "./options.ts";

const ledgerVolume = "data";
const wrappingKey = { volume: "wrapping-key", folder: "/run/signet/wrapping-key", file: "key" };
/** Octal 440: of root, readable for the controllers' group. */
const wrappingKeyMode = 0o440;
/** As much as node's disk may be taken by a ledger that nothing else holds. */
const ledgerSizeLimit = "256Mi";
const ownImage = /^signet\/(controller|injector|proxy|proxy-init)$/;

/** The very same object when nothing of it changes. */
export function renderObject(object: KubernetesObject, options: InstallOptions): KubernetesObject {
  switch (object.kind) {
    case "StatefulSet": {
      const changed = renderWorkload(object, options, [
        ...variable("SIGNET_TRUST_DOMAIN", options.trustDomain),
        ...variable("SIGNET_SVID_LIFETIME_S", options.svidLifetimeS),
      ]);
      const stored = withStorage(changed, options.storage);
      return withBundlePort(withWrappingKey(stored, options.wrappingKeySecret), options.bundlePort);
    }
    case "Deployment":
      return renderWorkload(object, options, [
        ...variable("SIGNET_TRUST_DOMAIN", options.trustDomain),
      ]);
    case "NetworkPolicy":
      return withBundlePort(object, options.bundlePort);
    case "ServiceAccount": {
      const { imagePullSecret: name } = options;
      return name === null ? object : { ...object, imagePullSecrets: [{ name }] };
    }
    default:
      return object;
  }
}

/** What options add to k8s/base. */
export function addedObjects({ bundlePort }: InstallOptions): readonly KubernetesObject[] {
  return bundlePort === null ? [] : [bundleService(bundlePort)];
}

/** The name of one of the mesh's images where `options` say that it is; any other text as it is. */
export function imageOf(name: string, { registry, tag }: ImageOptions): string {
  const own = ownImage.exec(name)?.[1];
  if (own === undefined) return name;
  return `${registry ?? "signet"}/${own}${tag === null ? "" : `:${tag}`}`;
}

function renderWorkload(
  object: KubernetesObject,
  options: InstallOptions,
  added: readonly Loose[],
): KubernetesObject {
  const spec = object["spec"] as Loose;
  const scaled = { ...object, spec: { ...spec, replicas: options.replicas ?? spec["replicas"] } };
  return mapContainers(scaled, (container) => renderContainer(container, options.images, added));
}

function renderContainer(container: Loose, images: ImageOptions, added: readonly Loose[]): Loose {
  const env = (container["env"] as readonly Loose[]).map((each) => {
    const { value } = each;
    return typeof value === "string"
      ? Object.assign({}, each, { value: imageOf(value, images) })
      : each;
  });
  const image = imageOf(String(container["image"]), images);
  return { ...container, image, env: [...env, ...added] };
}

function variable(name: string, value: string | number | null): readonly Loose[] {
  return value === null ? [] : [{ name, value: String(value) }];
}

function withStorage(object: KubernetesObject, storage: Storage): KubernetesObject {
  const { volumeClaimTemplates, ...spec } = object["spec"] as Loose;
  const claims = volumeClaimTemplates as readonly Loose[];
  switch (storage.kind) {
    case "volume":
      return {
        ...object,
        spec: { ...spec, volumeClaimTemplates: claims.map((each) => renderClaim(each, storage)) },
      };
    case "none": {
      const volume = { name: ledgerVolume, emptyDir: { sizeLimit: ledgerSizeLimit } };
      return withVolume({ ...object, spec }, volume);
    }
    default:
      return storage satisfies never;
  }
}

/**
 * The Secret as a file. Optional, so that the controller starts without it and says in its log what is
 * missing: it ends then, and takes up no key that is not wrapped.
 */
function withWrappingKey(object: KubernetesObject, secretName: string | null): KubernetesObject {
  if (secretName === null) return object;
  const { volume: name, folder, file } = wrappingKey;
  const items = [{ key: file, path: file }];
  const secret = { secretName, optional: true, defaultMode: wrappingKeyMode, items };
  const mount = { name, mountPath: folder, readOnly: true };
  const told = { name: "SIGNET_KEY_ENCRYPTION_FILE", value: `${folder}/${file}` };
  const mounted = mapContainers(object, (container) => {
    const env = [...(container["env"] as readonly Loose[]), told];
    const volumeMounts = [...(container["volumeMounts"] as readonly Loose[]), mount];
    return { ...container, env, volumeMounts };
  });
  return withVolume(mounted, { name, secret });
}

function withVolume(object: KubernetesObject, volume: Loose): KubernetesObject {
  return mapPodSpec(object, (podSpec) => ({
    ...podSpec,
    volumes: [...(podSpec["volumes"] as readonly Loose[]), volume],
  }));
}

function renderClaim(claim: Loose, storage: Storage & { kind: "volume" }): Loose {
  const spec = claim["spec"] as Loose;
  const { storageClass, size } = storage;
  return {
    ...claim,
    spec: {
      ...spec,
      ...(storageClass === null ? {} : { storageClassName: storageClass }),
      ...(size === null ? {} : { resources: { requests: { storage: size } } }),
    },
  };
}
