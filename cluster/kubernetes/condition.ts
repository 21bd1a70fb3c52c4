// A condition as Kubernetes writes it, made of a verdict and of what was said before. Pure.

/** What is to be said of an object. */
export interface Verdict {
  readonly status: "True" | "False" | "Unknown";
  /** One word, CamelCase. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
}

export interface Condition extends Verdict {
  readonly type: string;
  readonly observedGeneration: number;
  /** RFC 3339; when `status` became what it is. */
  readonly lastTransitionTime: string;
}

/** The API's own limit for a message. */
const messageCharactersMax = 32_768;

/** `told` are the conditions that stand there, whatever they may be. */
export function conditionOf(
  type: string,
  verdict: Verdict,
  { generation, told, now }: { generation: number; told: unknown; now: number },
): Condition {
  const before = toldCondition(type, told);
  const since = before?.["status"] === verdict.status ? before["lastTransitionTime"] : null;
  return {
    type,
    status: verdict.status,
    reason: verdict.reason,
    message: verdict.message.slice(0, messageCharactersMax),
    observedGeneration: generation,
    lastTransitionTime:
      typeof since === "string" ? since : new Date(now).toISOString().replace(/\.\d+Z$/, "Z"),
  };
}

/** Whether the conditions that stand there say it already. */
export function isTold(condition: Condition, told: unknown): boolean {
  const before = toldCondition(condition.type, told);
  return (
    before?.["status"] === condition.status &&
    before["reason"] === condition.reason &&
    before["message"] === condition.message &&
    before["observedGeneration"] === condition.observedGeneration
  );
}

/** Of an object's metadata; 0 when it is not told. */
export function generationOf({ generation }: { readonly [field: string]: unknown }): number {
  return typeof generation === "number" ? generation : 0;
}

function toldCondition(type: string, told: unknown): Readonly<Record<string, unknown>> | null {
  if (!Array.isArray(told)) return null;
  const found: unknown = told.find(
    (each) => (each as { readonly type?: unknown } | null)?.type === type,
  );
  return (found ?? null) as Readonly<Record<string, unknown>> | null;
}
