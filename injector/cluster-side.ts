// What the injector does with the API server: it writes the caBundle of its own two webhook configurations,
// and follows the mesh's trust bundle, one ConfigMap of its own namespace. A mounted file would tell it of
// another bundle too, but each replica a minute or so apart, and they would set the caBundle against one
// another.
import { readPublished, bundleName } from "#/cluster/kubernetes/trust-bundle.ts";
import { keepWebhookBundles } from "#/cluster/kubernetes/webhook-bundles.ts";
import type { WebhookBundles } from "#/cluster/kubernetes/webhook-bundles.ts";
import { reflect, tellLoss } from "#/cluster/kubernetes/reflector.ts";
import type { KubernetesParts } from "#/cluster/kubernetes/reflector.ts";
import { sleep } from "#/lib/clock.ts";
import type { Log } from "#/lib/log.ts";
import type { ClusterSide } from "./app.ts";

const meshNamespace = "signet-system";
const lookMs = 100;

/** `name`: of both webhook configurations. */
export function clusterSide(
  parts: KubernetesParts & { readonly log: Log },
  name: string,
): ClusterSide {
  const { clock, log } = parts;
  const stack = new AsyncDisposableStack();
  let caBundle = "";
  let bundles: WebhookBundles | null = null;
  return {
    async announce(bundlePem, signal) {
      caBundle = bundlePem;
      const names = { mutating: name, validating: name };
      bundles ??= stack.use(
        keepWebhookBundles({ ...parts, ...names, caBundlePem: () => caBundle }),
      );
      bundles.changed();
      while (!bundles.isSet() && !signal.aborted) await sleep(clock, lookMs, signal);
    },
    follow(onTexts) {
      const path = `/api/v1/namespaces/${meshNamespace}/configmaps`;
      stack.use(
        reflect({
          ...parts,
          path,
          query: { fieldSelector: `metadata.name=${bundleName}` },
          onChange: (change) => {
            const texts = change.type === "applied" ? readPublished(change.object) : null;
            // One that was taken away or emptied is put back by the controller.
            if (texts !== null && texts.bundle !== "") onTexts(texts);
          },
          onState: tellLoss(log, path),
        }),
      );
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
