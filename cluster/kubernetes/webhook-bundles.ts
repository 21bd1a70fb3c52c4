// The CA bundle in a webhook's configuration: without it the API server calls nobody. Set in every
// webhook of the two named configurations when it differs, and put back when somebody changes it.
import type { Log } from "#/lib/log.ts";
import { Pass } from "./pass.ts";
import type { RawObject } from "./reflection.ts";
import type { KubernetesParts } from "./reflector.ts";
import { reflect, tellLoss } from "./reflector.ts";

export interface WebhookBundleOptions extends KubernetesParts {
  /** Names of the configurations. */
  readonly mutating: string;
  readonly validating: string;
  /** PEM; asked for at each pass, so that it may change. */
  readonly caBundlePem: () => string;
  readonly log: Log;
}

export interface WebhookBundles extends AsyncDisposable {
  /** The bundle is another one now. */
  changed(): void;
  /** Both configurations are there and have it. */
  isSet(): boolean;
}

interface Held {
  readonly version: string;
  readonly webhooks: readonly { readonly name: string; readonly caBundle: string }[];
}

/** Keeps them until disposed of. Several replicas may: they write the same. */
export function keepWebhookBundles(options: WebhookBundleOptions): WebhookBundles {
  const { client, log } = options;
  const held = new Map<string, Held>();
  const run = async (): Promise<void> => {
    const caBundle = Buffer.from(options.caBundlePem()).toString("base64");
    for (const [path, { version, webhooks }] of held) {
      const stale = webhooks.filter((webhook) => webhook.caBundle !== caBundle);
      if (stale.length === 0) continue;
      await client.call({
        method: "PATCH",
        path,
        query: { fieldManager: "signet-injector" },
        contentType: "application/strategic-merge-patch+json",
        body: {
          metadata: { resourceVersion: version },
          webhooks: stale.map(({ name }) => ({ name, clientConfig: { caBundle } })),
        },
      });
      log.info("webhook's CA bundle set", { path, webhooks: stale.length });
    }
  };
  const stack = new AsyncDisposableStack();
  const pass = stack.use(new Pass({ ...options, name: "setting webhooks' CA bundle", run }));
  const follow = (collection: string, name: string): void => {
    const path = `/apis/admissionregistration.k8s.io/v1/${collection}`;
    stack.use(
      reflect({
        ...options,
        path,
        query: { fieldSelector: `metadata.name=${name}` },
        onChange: (change) => {
          if (change.type === "applied") held.set(`${path}/${name}`, heldOf(change.object));
          else held.delete(`${path}/${name}`);
          pass.request();
        },
        onState: tellLoss(log, path),
      }),
    );
  };
  follow("mutatingwebhookconfigurations", options.mutating);
  follow("validatingwebhookconfigurations", options.validating);
  return {
    changed: () => pass.request(),
    isSet() {
      const caBundle = Buffer.from(options.caBundlePem()).toString("base64");
      const webhooks = [...held.values()].flatMap((each) => each.webhooks);
      return held.size === 2 && webhooks.every((webhook) => webhook.caBundle === caBundle);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function heldOf(object: RawObject): Held {
  const webhooks = (object["webhooks"] ?? []) as readonly {
    readonly name: string;
    readonly clientConfig?: { readonly caBundle?: string };
  }[];
  return {
    version: object.metadata.resourceVersion ?? "",
    webhooks: webhooks.map(({ name, clientConfig }) => ({
      name,
      caBundle: clientConfig?.caBundle ?? "",
    })),
  };
}
