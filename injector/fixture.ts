// Pods and a configuration for the tests of this folder.
import type { InjectorConfig } from "./config.ts";
import { injectorDefaults } from "./config.ts";
import type { DecideInput } from "./decide.ts";
import { readPod } from "./pod.ts";
import type { Container, Pod, PodSpec } from "./pod.ts";

export const config: InjectorConfig = {
  ...injectorDefaults,
  rootFingerprints: ["ab".repeat(32)],
  excludablePorts: { inbound: [9090], outbound: [443, 8125] },
};

export interface PodParts {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: Partial<PodSpec>;
  readonly container?: Partial<Container>;
}

/** A plain pod with one container, changed where `parts` says so. */
export function podWith(parts: PodParts = {}): Pod {
  const container = { name: "web", image: "example/web:1", ...parts.container };
  return readPod({
    metadata: {
      name: "web",
      ...(parts.labels && { labels: parts.labels }),
      ...(parts.annotations && { annotations: parts.annotations }),
    },
    spec: { serviceAccountName: "web", containers: [container], ...parts.spec },
  });
}

/** In a namespace that asks for injection, unless told otherwise. */
export function inputFor(pod: Pod, changes: Partial<DecideInput> = {}): DecideInput {
  return {
    pod,
    namespace: "shop",
    namespaceLabels: { "signet.dev/inject": "enabled" },
    config,
    ...changes,
  };
}
