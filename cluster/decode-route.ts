// HTTPRoute of the Gateway API: the part that a mesh honours. A match or filter of a kind that is not
// honoured is refused with its path: ignoring it would widen the route. A backend of another kind than
// Service is kept: its share of the requests is refused, as the Gateway API demands.
import { z } from "#/lib/config.ts";
import { durationMs } from "./duration.ts";
import type { BackendRecord, Meta, RouteMatchRecord } from "./events.ts";
import type { RouteParent, RouteRuleRecord } from "./events.ts";
import type { RetryWish } from "./retry-annotation.ts";
import { readRouteAnnotations, retryAttemptsMax, retryCodesMax } from "./retry-annotation.ts";

const lax = <Schema extends z.ZodType>(schema: Schema): z.ZodOptional<z.ZodNullable<Schema>> =>
  schema.nullable().optional();
const portNumber = z.number().int().min(1).max(65_535);
const empty = lax(z.array(z.unknown()).max(0, "not supported"));
const duration = z.string().transform((text, context) => {
  const ms = durationMs(text);
  if (ms !== null) return ms;
  context.addIssue({ code: "custom", message: `"${text}" is not a duration` });
  return z.NEVER;
});

const matchShape = z.object({
  path: lax(
    z.object({
      type: lax(z.enum(["Exact", "PathPrefix"], "only Exact and PathPrefix are supported")),
      value: lax(z.string().startsWith("/").max(1024)),
    }),
  ),
  method: lax(z.string().regex(/^[A-Z]{1,16}$/, "not a method")),
  headers: lax(
    z
      .array(
        z.object({
          type: lax(z.literal("Exact", "only Exact is supported")),
          name: z.string().regex(/^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}$/, "not a header name"),
          value: z
            .string()
            .max(4096)
            .regex(/^[\t\x20-\x7e\x80-\uffff]*$/, "has a control character"),
        }),
      )
      .max(16),
  ),
  queryParams: empty,
});

const backendShape = z
  .object({
    group: lax(z.string()),
    kind: lax(z.string()),
    name: z.string().min(1).max(253),
    namespace: lax(z.string()),
    port: lax(portNumber),
    weight: lax(z.number().int().min(0).max(1_000_000)),
    filters: empty,
  })
  .superRefine((backend, context) => {
    if (kindOf(backend) !== "Service" || typeof backend.port === "number") return;
    context.addIssue({ code: "custom", path: ["port"], message: "is missing" });
  });

const ruleShape = z.object({
  matches: lax(z.array(matchShape).max(64)),
  filters: empty,
  backendRefs: lax(z.array(backendShape).max(16)),
  retry: lax(
    z.object({
      codes: lax(z.array(z.number().int().min(400).max(599)).max(retryCodesMax)),
      attempts: lax(z.number().int().min(0).max(retryAttemptsMax)),
      backoff: lax(duration),
    }),
  ),
  timeouts: lax(z.object({ request: lax(duration), backendRequest: lax(duration) })),
  sessionPersistence: lax(z.undefined("not supported")),
});

const parentShape = z.object({
  group: lax(z.string()),
  kind: lax(z.string()),
  namespace: lax(z.string()),
  name: z.string().min(1),
  port: lax(portNumber),
  sectionName: lax(z.string()),
});

const specShape = z.object({
  parentRefs: lax(z.array(parentShape).max(32)),
  rules: lax(z.array(ruleShape).max(16)),
});

export interface RouteSpec {
  readonly parents: readonly RouteParent[];
  readonly rules: readonly RouteRuleRecord[];
}

/** Reads `spec` of a route with that metadata, or tells what is wrong with it and where. */
export function readRouteSpec(
  spec: unknown,
  { namespace, annotations }: Pick<Meta, "namespace" | "annotations">,
): RouteSpec | { readonly fault: string } | z.ZodError {
  const parsed = specShape.safeParse(spec);
  if (!parsed.success) return parsed.error;
  const wish = readRouteAnnotations(annotations);
  if (wish !== null && "fault" in wish) {
    return { fault: `metadata.annotations["${wish.key}"]: ${wish.fault}` };
  }
  return {
    parents: (parsed.data.parentRefs ?? []).flatMap((parent) => toParent(parent, namespace)),
    rules: (parsed.data.rules ?? [{}]).map((rule) => toRule(rule, namespace, wish)),
  };
}

/** Parents that are not Services (gateways) are somebody else's. */
function toParent(parent: z.output<typeof parentShape>, namespace: string): RouteParent[] {
  const { name, port, sectionName } = parent;
  if (!isServiceParent(parent)) return [];
  const portName = sectionName === "" ? null : (sectionName ?? null);
  return [{ namespace: parent.namespace ?? namespace, name, port: port ?? null, portName }];
}

/** What a parent reference leaves out means a Gateway. */
export function isServiceParent(parent: {
  readonly group?: unknown;
  readonly kind?: unknown;
}): boolean {
  return parent.group === "" && parent.kind === "Service";
}

/** What a backend reference leaves out means a Service. */
function kindOf(backend: {
  readonly group?: string | null | undefined;
  readonly kind?: string | null | undefined;
}): string {
  const kind = backend.kind ?? "Service";
  return (backend.group ?? "") === "" ? kind : `${backend.group}/${kind}`;
}

/** `wish` is what the route asks for where a rule has no `retry` of its own. */
function toRule(
  rule: z.output<typeof ruleShape>,
  namespace: string,
  wish: RetryWish | null,
): RouteRuleRecord {
  const { matches, backendRefs, retry, timeouts } = rule;
  return {
    matches: (matches ?? []).map(toMatch),
    backends: (backendRefs ?? []).map((backend): BackendRecord => ({
      kind: kindOf(backend),
      namespace: backend.namespace ?? namespace,
      name: backend.name,
      port: backend.port ?? 0,
      weight: backend.weight ?? 1,
    })),
    retry:
      retry === undefined || retry === null
        ? wish
        : {
            codes: retry.codes ?? null,
            attempts: retry.attempts ?? null,
            backoffMs: retry.backoff ?? null,
          },
    requestTimeoutMs: timeouts?.request ?? 0,
    backendTimeoutMs: timeouts?.backendRequest ?? 0,
  };
}

/** Header names are compared without case; of two with one name the first one counts. */
function toMatch({ path, method, headers }: z.output<typeof matchShape>): RouteMatchRecord {
  const named = new Map<string, string>();
  for (const { name, value } of headers ?? []) {
    if (!named.has(name.toLowerCase())) named.set(name.toLowerCase(), value);
  }
  return {
    path: { kind: path?.type === "Exact" ? "exact" : "prefix", value: path?.value ?? "/" },
    method: method ?? null,
    headers: [...named].map(([name, value]) => ({ name, value })),
  };
}
