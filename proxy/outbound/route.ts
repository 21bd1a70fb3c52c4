// Which of a service port's routes a request takes. Compiled once per snapshot; a port whose only
// route matches everything (the usual case) is answered without a look at the request.
import type { HeaderMatch, PathMatch, RetryPolicy, Route, RouteMatch } from "#/api/discovery.ts";
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

/** A match laid out for comparing: all that is not null must hold. */
interface CompiledMatch {
  readonly method: string | null;
  readonly path: PathMatch | null;
  readonly headers: readonly HeaderMatch[];
}

export interface CompiledRoute {
  readonly name: string;
  /** Any of them; empty: everything. */
  readonly matches: readonly CompiledMatch[];
  readonly canary: Canary<ClusterState>;
  readonly retry: RetryPolicy;
  readonly requestTimeoutMs: number;
}

export function compileRoute(
  route: Route,
  clusterOf: (name: string) => ClusterState,
  previous: CompiledRoute | null,
): CompiledRoute {
  const choices = route.backends.map(({ cluster, weight }) => ({
    backend: clusterOf(cluster),
    weight,
  }));
  return {
    name: route.name,
    matches: route.matches.map(compileMatch),
    canary: previous?.canary.sameAs(choices)
      ? previous.canary
      : new Canary(choices, previous?.canary),
    retry: route.retry ?? defaultRetryPolicy,
    requestTimeoutMs: route.requestTimeoutMs,
  };
}

/** Gateway API: a prefix matches whole path elements; a trailing slash of the prefix is ignored. */
function compileMatch({ method, path, headers }: RouteMatch): CompiledMatch {
  const isOpen = path?.kind === "prefix" && path.value.endsWith("/");
  return {
    method,
    path: isOpen ? { kind: "prefix", value: path.value.slice(0, -1) } : path,
    headers,
  };
}

/** The first route that matches, in the controller's order of precedence; null: none does. */
export function matchRoute(
  routes: readonly CompiledRoute[],
  facts: RouteFacts,
): CompiledRoute | null {
  // Both are texts that are made when they are asked for: once for all the matches.
  let method = "";
  let path = "";
  for (let index = 0; index < routes.length; index += 1) {
    const route = routes[index]!;
    const { matches } = route;
    if (matches.length === 0) return route;
    for (let which = 0; which < matches.length; which += 1) {
      const match = matches[which]!;
      if (match.method !== null) {
        if (method === "") method = facts.method();
        if (match.method !== method) continue;
      }
      if (match.path !== null) {
        if (path === "") path = facts.path();
        if (!matchesPath(match.path, path)) continue;
      }
      if (matchesHeaders(match.headers, facts)) return route;
    }
  }
  return null;
}

function matchesPath({ kind, value }: PathMatch, path: string): boolean {
  if (kind === "exact") return path === value;
  if (!path.startsWith(value)) return false;
  return path.length === value.length || path.charCodeAt(value.length) === SLASH;
}

const SLASH = 0x2f;

function matchesHeaders(headers: readonly HeaderMatch[], facts: RouteFacts): boolean {
  for (let index = 0; index < headers.length; index += 1) {
    const { name, value } = headers[index]!;
    if (facts.header(name) !== value) return false;
  }
  return true;
}
