// The mesh's roots as a ConfigMap where sidecars are: in the mesh's own namespace, in each that has the
// label, and in each with a pod that has a sidecar or asks for one itself. It is a hint (a sidecar holds it
// against the pins of its pod), so it need not be secret, only there: edited or deleted, it is put back,
// and taken away where nothing asks for it any more. Only the holder of the lease writes.
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
  /** As it is to stand there. */
  readonly texts: () => PublishedTexts;
  /** The mesh's own namespace. */
  readonly namespace: string;
  /** Namespaces with a pod that cannot start without it; null while not all pods are known. */
  readonly inNeed: () => ReadonlySet<string> | null;
  readonly writer: Writer;
  readonly log: Log;
}

export interface PublishedTexts {
  /** PEM of the trusted roots. */
  readonly bundle: string;
  /** PEM of former roots and what leads from each to the next; empty: there are none. */
  readonly links: string;
  /** SHA-256 of the intermediate that issuers hang from. */
  readonly authority: string;
}

export interface TrustBundles extends AsyncDisposable {
  /** Who is in need may have changed. */
  request(): void;
}

export const bundleName = "signet-trust-bundle";
/** Which text stands under which key. */
export const bundleKeys: Readonly<Record<keyof PublishedTexts, string>> = {
  bundle: "bundle.pem",
  links: "links.pem",
  authority: "authority",
};
const injectedLabel = "signet.dev/inject=enabled";
const partOfKey = "app.kubernetes.io/part-of";
const partOf = "signet";

/** What stands in a namespace under the bundle's name. */
export interface Found {
  readonly texts: PublishedTexts;
  /** We made it. */
  readonly isOurs: boolean;
  readonly version: string;
}

/** Keeps them until disposed of. */
export function keepTrustBundles(options: TrustBundleOptions): TrustBundles {
  const { writer, log } = options;
  const labelled = new Set([options.namespace]);
  const found = new Map<string, Found>();
  const isListed = { namespaces: false, bundles: false };
  const run = async (): Promise<void> => {
    if (!isListed.namespaces || !isListed.bundles) return;
    let failure: unknown = null;
    for (const step of stepsTo(options, labelled, found)) {
      if (!writer.isHeld.get()) return;
      const { namespace } = step;
      try {
        await take(options, step);
        log.info(`trust bundle ${step.kind === "put" ? "published" : "taken away"}`, { namespace });
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
    if (change.type === "applied" && !isTerminating(change.object)) labelled.add(change.key);
    else if (change.key !== options.namespace) labelled.delete(change.key);
  });
  const named = { fieldSelector: `metadata.name=${bundleName}` };
  follow("bundles", "/api/v1/configmaps", named, (change) => {
    const namespace = change.key.split("/")[0] ?? "";
    if (change.type === "applied") found.set(namespace, foundOf(change.object));
    else found.delete(namespace);
  });
  stack.defer(writer.isHeld.onChange(() => pass.request()));
  return {
    request: () => pass.request(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export type Step =
  | { readonly kind: "put"; readonly namespace: string; readonly texts: PublishedTexts }
  | { readonly kind: "remove"; readonly namespace: string; readonly version: string };

/** What is missing where it is wanted, and what we made where it no longer is. Pure. */
export function stepsTo(
  { texts: present, inNeed }: Pick<TrustBundleOptions, "texts" | "inNeed">,
  labelled: ReadonlySet<string>,
  found: ReadonlyMap<string, Found>,
): readonly Step[] {
  const texts = present();
  const needing = inNeed();
  const wanted = labelled.union(needing ?? new Set<string>());
  const missing = [...wanted].filter((namespace) => {
    const there = found.get(namespace)?.texts;
    return there === undefined || names.some((name) => there[name] !== texts[name]);
  });
  // While not all pods are known, nobody is taken for one that needs nothing.
  const left = needing === null ? [] : [...found].filter(([name]) => !wanted.has(name));
  return [
    ...missing.map((namespace): Step => ({ kind: "put", namespace, texts })),
    ...left
      .filter(([, { isOurs }]) => isOurs)
      .map(([namespace, { version }]): Step => ({ kind: "remove", namespace, version })),
  ];
}

const names = Object.keys(bundleKeys) as readonly (keyof PublishedTexts)[];

async function take({ client }: TrustBundleOptions, step: Step): Promise<void> {
  const { namespace } = step;
  const path = `/api/v1/namespaces/${namespace}/configmaps/${bundleName}`;
  if (step.kind === "remove") {
    // The very version that was judged: one that was changed meanwhile is judged anew.
    const preconditions = { resourceVersion: step.version };
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions };
    await client.call({ method: "DELETE", path, body });
    return;
  }
  await client.call({
    method: "PATCH",
    path,
    query: { fieldManager, force: "true" },
    contentType: "application/apply-patch+yaml",
    body: {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: bundleName, namespace, labels: { [partOfKey]: partOf } },
      data: Object.fromEntries(
        names
          .filter((name) => step.texts[name] !== "")
          .map((name) => [bundleKeys[name], step.texts[name]]),
      ),
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
function foundOf(object: RawObject): Found {
  const { metadata } = object;
  const labels = (metadata["labels"] ?? {}) as Readonly<Record<string, unknown>>;
  return {
    texts: readPublished(object),
    isOurs: labels[partOfKey] === partOf,
    version: metadata.resourceVersion ?? "",
  };
}

/** What is not there is empty. */
export function readPublished(object: RawObject): PublishedTexts {
  const data = (object["data"] ?? {}) as Readonly<Record<string, unknown>>;
  const text = (name: keyof PublishedTexts): string => {
    const found = data[bundleKeys[name]];
    return typeof found === "string" ? found : "";
  };
  return { bundle: text("bundle"), links: text("links"), authority: text("authority") };
}
