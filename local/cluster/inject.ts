// Every pod passes the injector on its way in, as an API server would call the webhook: the very same
// decision and patch.
import { applyPatch } from "#/injector/apply-patch.ts";
import { injectorDefaults } from "#/injector/config.ts";
import type { InjectorConfig } from "#/injector/config.ts";
import { decide } from "#/injector/decide.ts";
import { buildPatch } from "#/injector/patch.ts";
import { readPod } from "#/injector/pod.ts";
import { LocalError } from "../objects.ts";
import type { KubernetesObject, Labels } from "../objects.ts";

export interface Admitted {
  readonly object: KubernetesObject;
  /** What an API server would show to whoever applied the pod. */
  readonly warnings: readonly string[];
  /** Why there is no sidecar; empty when there is one. */
  readonly skipped: string;
}

/** Pure. Throws LocalError for a pod that the injector refuses. */
export function admit(
  object: KubernetesObject,
  namespaceLabels: Labels,
  trust: Pick<InjectorConfig, "trustDomain" | "rootFingerprints">,
): Admitted {
  const namespace = object.metadata.namespace ?? "default";
  const pod = readPod(object);
  const config = { ...injectorDefaults, ...trust };
  const decision = decide({ pod, namespace, namespaceLabels, config });
  switch (decision.kind) {
    case "inject": {
      const patch = buildPatch(pod, decision.options, config);
      const injected = applyPatch<KubernetesObject>(object, patch);
      return { object: injected, warnings: decision.warnings, skipped: "" };
    }
    case "skip":
      return { object, warnings: [], skipped: decision.reason };
    case "refuse":
      throw new LocalError("object_invalid", decision.message, { next: decision.next });
    default:
      return decision satisfies never;
  }
}
