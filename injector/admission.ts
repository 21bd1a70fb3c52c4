// What is answered to a review of a pod: inject it (mutating), or see that nobody undid it (validating).
// Pure. Which webhook called says whether the pod's namespace asks for sidecars: the configuration has
// one entry for labelled namespaces and one for pods that ask by themselves.
import { injectKey, statusInjected, statusKey } from "./annotations.ts";
import { changeOfSidecar } from "./change.ts";
import type { InjectorConfig } from "./config.ts";
import { decide } from "./decide.ts";
import { buildPatch } from "./patch.ts";
import { PodError, podName, readPod } from "./pod.ts";
import type { Labels, Pod } from "./pod.ts";
import type { Answer, Review } from "./review.ts";

export type AskedBy = "namespace" | "pod";

/** The answer of /inject: a patch, or a reason. Never throws for a review that `readReview` let through. */
export function mutate(review: Review, askedBy: AskedBy, config: InjectorConfig): Answer {
  if (review.operation !== "CREATE" || review.subresource !== "") return { allowed: true };
  return withPod(review, (pod) => {
    const decision = decide({ ...placeOf(review, askedBy), pod, config });
    switch (decision.kind) {
      case "inject":
        return {
          allowed: true,
          patch: buildPatch(pod, decision.options, config),
          warnings: decision.warnings,
          audit: { "proxy-injected": "true" },
        };
      case "skip":
        return { allowed: true, audit: { "proxy-injected": "false", reason: decision.reason } };
      case "refuse":
        return denied(decision.message, decision.next);
      default:
        return decision satisfies never;
    }
  });
}

/**
 * The answer of /validate. A new pod must have its sidecar, whole, if it should have one. Of a pod that
 * has one, nothing that concerns it may change; by what is in force now a running pod is not judged
 * again: an upgrade of the mesh must not stand in the way of whoever puts a label on it.
 */
export function validate(review: Review, askedBy: AskedBy, config: InjectorConfig): Answer {
  switch (review.operation) {
    case "CREATE":
      return review.subresource === ""
        ? withPod(review, (pod) => validateNew(review, pod, askedBy, config))
        : { allowed: true };
    case "UPDATE":
      return withPod(review, (pod) => validateChange(readPod(review.oldObject), pod));
    case "DELETE":
    case "CONNECT":
      return { allowed: true };
    default:
      return review.operation satisfies never;
  }
}

function validateNew(review: Review, pod: Pod, askedBy: AskedBy, config: InjectorConfig): Answer {
  const decision = decide({ ...placeOf(review, askedBy), pod, config });
  switch (decision.kind) {
    case "skip":
      return { allowed: true };
    case "inject":
      return denied(
        `Cannot store pod "${podName(pod)}": it should have a sidecar and has none`,
        "See which webhook takes it out, or whether signet-injector was asked at all",
      );
    case "refuse":
      return denied(decision.message, decision.next);
    default:
      return decision satisfies never;
  }
}

function validateChange(before: Pod, after: Pod): Answer {
  if (before.metadata.annotations?.[statusKey] !== statusInjected) return { allowed: true };
  const change = changeOfSidecar(before, after);
  if (change === null) return { allowed: true };
  return denied(
    `Cannot change pod "${podName(after)}": ${change}`,
    "Change what makes the pod (Deployment, StatefulSet, Job), or delete the pod",
  );
}

function withPod(review: Review, answer: (pod: Pod) => Answer): Answer {
  try {
    return answer(readPod(review.object));
  } catch (error) {
    if (error instanceof PodError) return denied(error.message, error.next);
    throw error;
  }
}

function placeOf(
  { namespace }: Review,
  askedBy: AskedBy,
): { namespace: string; namespaceLabels: Labels } {
  return { namespace, namespaceLabels: askedBy === "namespace" ? { [injectKey]: "enabled" } : {} };
}

function denied(message: string, next: string): Answer {
  const sentence = next === "" ? message : `${message}. ${next}`;
  return { allowed: false, message: sentence, audit: { "proxy-injected": "refused" } };
}
