// The mesh's roots as a ConfigMap in every namespace whose pods may have a sidecar, and in the mesh's own.
// It is a hint (a sidecar holds it against the pins of its pod), so it need not be secret, only there:
// edited or deleted, it is put back. Only the holder of the lease writes.
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { KubernetesError } from "./kubernetes-error.ts";
import { Pass } from "./pass.ts";
import type { Change, RawObject } from "./reflection.ts";
import type { KubernetesParts } from "./reflector.ts";
import { reflect, tellLoss } from "./reflector.ts";
import { fieldManager } from "./writer.ts";
import type { Writer } from "./writer.ts";

export interface TrustBundleOptions extends KubernetesParts {
  /** PEM, as it is to stand there. */
  readonly bundlePem: () => string;
  /** The mesh's own namespace. */
  readonly namespace: string;
  readonly writer: Writer;
  readonly log: Log;
}

export const bundleName = "signet-trust-bundle";
const bundleKey = "bundle.pem";
const injectedLabel = "signet.dev/inject=enabled";

/** Keeps them until disposed of. */
export function keepTrustBundles(options: TrustBundleOptions): AsyncDisposable {
  const { writer, log } = options;
  const wanted = new Set([options.namespace]);
  /** Namespace -> what stands there. */
  const found = new Map<string, string>();
  const isListed = { namespaces: false, bundles: false };
  const run = async (): Promise<void> => {
    if (!isListed.namespaces || !isListed.bundles) return;
    const bundle = options.bundlePem();
    let failure: unknown = null;
    for (const namespace of wanted) {
      if (!writer.isHeld.get()) return;
      if (found.get(namespace) === bundle) continue;
      try {
        await put(options, namespace, bundle);
        log.info("trust bundle published", { namespace });
      } catch (thrown) {
        // One namespace that is going away must not keep the others from theirs.
        if (isOfNoUse(thrown)) log.debug("namespace is going", { reason: messageOf(thrown) });
        else failure ??= thrown;
      }
    }
    if (failure !== null) throw failure;
  };
  const stack = new AsyncDisposableStack();
  const pass = stack.use(new Pass({ ...options, name: "publishing the trust bundle", run }));
  const follow = (
    part: keyof typeof isListed,
    path: string,
    query: Record<string, string>,
    onChange: (change: Change) => void,
  ): void => {
    stack.use(
      reflect({
        ...options,
        path,
        query,
        onChange: (change) => {
          onChange(change);
          pass.request();
        },
        onState: (state) => {
          tellLoss(log, path)(state);
          if (state.kind === "standing") isListed[part] = true;
          pass.request();
        },
      }),
    );
  };
  follow("namespaces", "/api/v1/namespaces", { labelSelector: injectedLabel }, (change) => {
    if (change.type === "applied" && !isTerminating(change.object)) wanted.add(change.key);
    else if (change.key !== options.namespace) wanted.delete(change.key);
  });
  const named = { fieldSelector: `metadata.name=${bundleName}` };
  follow("bundles", "/api/v1/configmaps", named, (change) => {
    const namespace = change.key.split("/")[0] ?? "";
    if (change.type === "applied") found.set(namespace, textOf(change.object));
    else found.delete(namespace);
  });
  stack.defer(writer.isHeld.onChange(() => pass.request()));
  return stack;
}

async function put(
  { client }: TrustBundleOptions,
  namespace: string,
  bundle: string,
): Promise<void> {
  await client.call({
    method: "PATCH",
    path: `/api/v1/namespaces/${namespace}/configmaps/${bundleName}`,
    query: { fieldManager, force: "true" },
    contentType: "application/apply-patch+yaml",
    body: {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: bundleName, namespace, labels: { "app.kubernetes.io/part-of": "signet" } },
      data: { [bundleKey]: bundle },
    },
  });
}

/** The namespace is gone, or going: nothing can be made in it. */
function isOfNoUse(thrown: unknown): boolean {
  if (!(thrown instanceof KubernetesError)) return false;
  return thrown.code === "not_found" || /being terminated/.test(thrown.message);
}

function isTerminating({ metadata }: RawObject): boolean {
  return typeof metadata["deletionTimestamp"] === "string";
}

/** Also what stands beside it counts: somebody else's key is left alone, a missing one is not ours. */
function textOf(object: RawObject): string {
  const data = (object["data"] ?? {}) as Readonly<Record<string, unknown>>;
  const text = data[bundleKey];
  return typeof text === "string" ? text : "";
}
