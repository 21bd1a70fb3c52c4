// One object with its sidecar, by the injector's own decision and patch. Pure. Objects that make no pods,
// and those that are to have no sidecar, come back as they are.
import { injectKey } from "#/injector/annotations.ts";
import { applyPatch } from "#/injector/apply-patch.ts";
import type { InjectorConfig } from "#/injector/config.ts";
import { decide } from "#/injector/decide.ts";
import { buildPatch } from "#/injector/patch.ts";
import { PodError, readPod } from "#/injector/pod.ts";
import type { Pod } from "#/injector/pod.ts";
import type { KubernetesObject } from "../mesh.ts";

type Loose = Readonly<Record<string, unknown>>;

export interface Injected {
  /** The very same one when nothing of it changes. */
  readonly object: KubernetesObject;
  readonly notes: readonly string[];
  readonly refusals: readonly Refusal[];
}

export interface Refusal {
  readonly message: string;
  readonly next: string;
}

/** Where each kind has the pods that it makes. */
const templates: Readonly<Record<string, readonly string[]>> = {
  "v1 Pod": [],
  "v1 ReplicationController": ["spec", "template"],
  "apps/v1 Deployment": ["spec", "template"],
  "apps/v1 StatefulSet": ["spec", "template"],
  "apps/v1 DaemonSet": ["spec", "template"],
  "apps/v1 ReplicaSet": ["spec", "template"],
  "batch/v1 Job": ["spec", "template"],
  "batch/v1 CronJob": ["spec", "jobTemplate", "spec", "template"],
};

/** `value` is whatever a document holds. Never throws for plain data. */
export function injectObject(value: unknown, config: InjectorConfig): Injected {
  if (!isRecord(value)) return untouched(value as KubernetesObject);
  const object = value as unknown as KubernetesObject;
  if (Array.isArray(value["items"]) && object.kind?.endsWith("List")) {
    const items = value["items"].map((item: unknown) => injectObject(item, config));
    const isSame = items.every((item, index) => item.object === object["items"]![index as never]);
    return {
      object: isSame ? object : { ...object, items: items.map((item) => item.object) },
      notes: items.flatMap(({ notes }) => notes),
      refusals: items.flatMap(({ refusals }) => refusals),
    };
  }
  const where = templates[`${object.apiVersion} ${object.kind}`];
  return where === undefined ? untouched(object) : injectWorkload(object, where, config);
}

function injectWorkload(
  object: KubernetesObject,
  where: readonly string[],
  config: InjectorConfig,
): Injected {
  const name = `${object.kind} "${object.metadata?.name ?? ""}"`;
  const template = where.reduce<unknown>(
    (node, key) => (isRecord(node) ? node[key] : undefined),
    object,
  );
  let pod: Pod;
  try {
    pod = readPod(isRecord(template) ? asPod(template, object, where) : template);
  } catch (thrown) {
    if (!(thrown instanceof PodError)) throw thrown;
    const { message, next } = thrown;
    return refused(object, { message: `Cannot inject ${name}: ${message}`, next });
  }
  const namespace = object.metadata?.namespace ?? "";
  // Whoever asks for this asks for all of it, as a label on the namespace does.
  const namespaceLabels = { [injectKey]: "enabled" };
  const decision = decide({ pod, namespace, namespaceLabels, config });
  switch (decision.kind) {
    case "inject": {
      const { spec, metadata = {} } = template as { spec: unknown; metadata?: unknown };
      const patched = applyPatch<Loose>(
        { ...(template as Loose), metadata: metadata ?? {}, spec },
        buildPatch(pod, decision.options, config),
      );
      return {
        object: replaced(object, where, patched) as KubernetesObject,
        notes: decision.warnings.map((warning) => `${name}: ${warning}`),
        refusals: [],
      };
    }
    case "skip":
      return { ...untouched(object), notes: [`${name}: no change: ${decision.message}`] };
    case "refuse":
      return refused(object, { message: decision.message, next: decision.next });
    default:
      return decision satisfies never;
  }
}

/** A template has no name: its pods' begins with its owner's. */
function asPod(template: Loose, object: KubernetesObject, where: readonly string[]): Loose {
  if (where.length === 0) return template;
  const metadata = isRecord(template["metadata"]) ? template["metadata"] : {};
  const generateName = `${object.metadata?.name ?? ""}-`;
  return { ...template, metadata: { ...metadata, generateName } };
}

function replaced(node: unknown, [key, ...rest]: readonly string[], value: Loose): unknown {
  if (key === undefined) return value;
  const record = node as Loose;
  return { ...record, [key]: replaced(record[key], rest, value) };
}

function untouched(object: KubernetesObject): Injected {
  return { object, notes: [], refusals: [] };
}

function refused(object: KubernetesObject, refusal: Refusal): Injected {
  return { ...untouched(object), refusals: [refusal] };
}

function isRecord(value: unknown): value is Loose {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
