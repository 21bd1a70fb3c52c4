// Which of a service port's routes a request takes. Compiled once per snapshot; a port whose only
// route matches everything (the usual case) is answered without a look at the request.
import type { HeaderMatch, RetryPolicy, Route, RouteMatch } from "#/api/discovery.ts";
import { Canary } from "./canary.ts";
import { defaultRetryPolicy } from "./retry.ts";
import type { ClusterState } from "./endpoint.ts";

/** What a match may look at; each is asked for only when a match needs it. */
export interface RouteFacts {
  method(): string;
  /** Normalised path, without query. */
  path(): string;
  /** Value of the only field of that (lower-case) name; null: none; several are joined with ", ". */
  header(name: string): string | null;
}

export interface CompiledRoute {
  readonly name: string;
  readonly matches: readonly RouteMatch[];
  readonly canary: Canary<ClusterState>;
  readonly retry: RetryPolicy;
  readonly requestTimeoutMs: number;
}

export function compileRoute(
  route: Route,
  clusterOf: (name: string) => ClusterState,
  previous: CompiledRoute | undefined,
): CompiledRoute {
  const choices = route.backends.map(({ cluster, weight }) => ({
    backend: clusterOf(cluster),
    weight,
  }));
  return {
    name: route.name,
    matches: route.matches,
    canary: previous?.canary.sameAs(choices) === true ? previous.canary : new Canary(choices),
    retry: route.retry ?? defaultRetryPolicy,
    requestTimeoutMs: route.requestTimeoutMs,
  };
}

/** The first route that matches, in the controller's order of precedence; null: none does. */
export function matchRoute(
  routes: readonly CompiledRoute[],
  facts: RouteFacts,
): CompiledRoute | null {
  for (const route of routes) {
    if (route.matches.length === 0) return route;
    for (const match of route.matches) if (matches(match, facts)) return route;
  }
  return null;
}

function matches(match: RouteMatch, facts: RouteFacts): boolean {
  if (match.method !== null && match.method !== facts.method()) return false;
  if (match.path !== null) {
    const { kind, value } = match.path;
    const path = facts.path();
    if (kind === "exact" ? path !== value : !hasPathPrefix(path, value)) return false;
  }
  return match.headers.every((header) => matchesHeader(header, facts));
}

function matchesHeader(header: HeaderMatch, facts: RouteFacts): boolean {
  return facts.header(header.name) === header.value;
}

/** Gateway API: a prefix matches whole path elements; a trailing slash of the prefix is ignored. */
function hasPathPrefix(path: string, prefix: string): boolean {
  const bare = prefix.endsWith("/") ? prefix.slice(0, -1) : prefix;
  if (!path.startsWith(bare)) return false;
  return path.length === bare.length || path.charCodeAt(bare.length) === 0x2f;
}
