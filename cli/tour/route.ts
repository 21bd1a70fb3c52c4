// app-b's HTTPRoute as the tour changes it: other weights, or no retries. Pure.
import { readRetryAnnotation, retryAnnotation } from "#/cluster/retry-annotation.ts";
import type { KubernetesObject } from "../mesh.ts";
import { hold } from "./claim.ts";
import type { TourContext } from "./claim.ts";

interface Rule {
  readonly backendRefs?: readonly { readonly name: string; readonly weight?: number }[];
}

export async function greeterRoute(context: TourContext): Promise<KubernetesObject> {
  const routes = await context.mesh.objects("HTTPRoute");
  const route = routes.find(
    ({ metadata }) => metadata.namespace === "app-b" && metadata.name === "app-b",
  );
  hold(route !== undefined, "there is no HTTPRoute app-b/app-b");
  return route;
}

/** `weights` by the name of the backend's Service. */
export function withWeights(
  route: KubernetesObject,
  weights: Readonly<Record<string, number>>,
): KubernetesObject {
  return withRules(route, (rule) => ({
    ...rule,
    backendRefs: (rule.backendRefs ?? []).map((each) =>
      Object.assign({}, each, { weight: weights[each.name] ?? each.weight ?? 1 }),
    ),
  }));
}

/** Says that nothing is repeated; leaving it out would leave it to whoever else wrote the object. */
export function withoutRetry(route: KubernetesObject): KubernetesObject {
  const annotations = { ...route.metadata.annotations, [retryAnnotation]: "attempts=0" };
  return { ...route, metadata: { ...route.metadata, annotations } };
}

/** Repeats after the first try; 0 without any. */
export function repeatsOf(route: KubernetesObject): number {
  const wish = readRetryAnnotation(route.metadata.annotations?.[retryAnnotation] ?? "");
  return "fault" in wish ? 0 : (wish.attempts ?? 0);
}

function withRules(route: KubernetesObject, change: (rule: Rule) => Rule): KubernetesObject {
  const spec = route["spec"] as Readonly<Record<string, unknown>>;
  return { ...route, spec: { ...spec, rules: rulesOf(route).map(change) } };
}

function rulesOf(route: KubernetesObject): readonly Rule[] {
  const { rules } = route["spec"] as { readonly rules?: readonly Rule[] };
  return rules ?? [];
}
