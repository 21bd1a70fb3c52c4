// HTTPRoutes with a Service as parent: who may route for whom, and in which order the matches are
// tried. A route holds only in the namespace of the Service that it names (a producer route): nobody
// routes another namespace's traffic (attack case 21).
import type { Route, RouteMatch, WeightedCluster } from "#/api/discovery.ts";
import type { BackendRecord, HttpRouteRecord, RouteMatchRecord } from "#/cluster/events.ts";
import type { RouteParent, RouteRuleRecord, ServicePortRecord } from "#/cluster/events.ts";
import { keyOfMeta } from "#/cluster/events.ts";
import { Multimap } from "./multimap.ts";
import { clusterName } from "./services.ts";

/** Stands for a backend that is not there or may not be named: a cluster without endpoints. */
export const unresolvedCluster = "unresolved";

/** What a `retry` that leaves them open gets. */
const retryCodesDefault = [500, 502, 503, 504];
const retryAttemptsDefault = 2;
const retryBackoffMsDefault = 25;

export class Routes {
  readonly #routes = new Map<string, HttpRouteRecord>();
  /** service -> routes that name it as parent. */
  readonly #byParent = new Multimap();
  /** service -> routes that name it as backend. */
  readonly #byBackend = new Multimap();

  get size(): number {
    return this.#routes.size;
  }

  /** Returns the services whose routes may have changed. */
  apply(route: HttpRouteRecord): readonly string[] {
    const key = keyOfMeta(route.meta);
    const before = this.delete(key);
    this.#routes.set(key, route);
    const parents = producerParents(route);
    for (const parent of parents) this.#byParent.add(parent, key);
    for (const backend of backendsOf(route)) this.#byBackend.add(backend, key);
    return [...before, ...parents];
  }

  delete(key: string): readonly string[] {
    const route = this.#routes.get(key);
    if (route === undefined) return [];
    this.#routes.delete(key);
    const parents = producerParents(route);
    for (const parent of parents) this.#byParent.remove(parent, key);
    for (const backend of backendsOf(route)) this.#byBackend.remove(backend, key);
    return parents;
  }

  /** Services whose routes lead to `service`: compiled again when its ports come or go. */
  parentsOfBackend(service: string): readonly string[] {
    return this.#byBackend.get(service).flatMap((key) => {
      const route = this.#routes.get(key);
      return route === undefined ? [] : producerParents(route);
    });
  }

  /** Whether a version of the route is known. */
  has(key: string): boolean {
    return this.#routes.has(key);
  }

  routesOf(service: string): readonly HttpRouteRecord[] {
    return this.#byParent.get(service).flatMap((key) => this.#routes.get(key) ?? []);
  }
}

/** The services that the route may speak for: those of its own namespace. */
export function producerParents(route: HttpRouteRecord): readonly string[] {
  const { namespace } = route.meta;
  const own = route.parents.filter((parent) => parent.namespace === namespace);
  return [...new Set(own.map(keyOfMeta))];
}

/**
 * The routes of one port, in the Gateway API's order of precedence; the last one matches everything.
 * `exists` tells whether a service has a port, `own` is the port's own cluster.
 */
export function compileRoutes(
  routes: readonly HttpRouteRecord[],
  service: string,
  port: Pick<ServicePortRecord, "name" | "port">,
  exists: (service: string, port: number) => boolean,
): readonly Route[] {
  const candidates = routes
    .filter((route) => holdsOn(route, service, port))
    .flatMap((route) => candidatesOf(route, exists))
    .sort(byPrecedence);
  const compiled: Route[] = [];
  for (const candidate of candidates) {
    compiled.push(candidate.route);
    if (candidate.route.matches.length === 0) return compiled;
  }
  return [...compiled, defaultRoute(clusterName(service, port.port))];
}

interface Candidate {
  readonly route: Route;
  readonly match: RouteMatchRecord;
  readonly createdAt: number;
  readonly key: string;
  readonly rule: number;
}

function holdsOn(
  route: HttpRouteRecord,
  service: string,
  port: Pick<ServicePortRecord, "name" | "port">,
): boolean {
  return route.parents.some(
    (parent) =>
      parent.namespace === route.meta.namespace &&
      keyOfMeta(parent) === service &&
      isMeant(parent, port),
  );
}

/** Whether the reference means this port of its service. */
export function isMeant(
  { port, portName }: RouteParent,
  of: Pick<ServicePortRecord, "name" | "port">,
): boolean {
  return (port === null || port === of.port) && (portName === null || portName === of.name);
}

/** One candidate for each match: matches of one rule may stand far apart in the order. */
function candidatesOf(
  route: HttpRouteRecord,
  exists: (service: string, port: number) => boolean,
): readonly Candidate[] {
  const key = keyOfMeta(route.meta);
  return route.rules.flatMap((rule, index) => {
    const shared = ruleParts(rule, route.meta.namespace, exists);
    const matches = rule.matches.length === 0 ? [everything] : rule.matches;
    return matches.map((match, position): Candidate => {
      const name = `${key}#${index}${matches.length > 1 ? `.${position}` : ""}`;
      const routed: Route = { name, matches: modelMatches(match), ...shared };
      return { route: routed, match, createdAt: route.meta.createdAt, key, rule: index };
    });
  });
}

const everything: RouteMatchRecord = {
  path: { kind: "prefix", value: "/" },
  method: null,
  headers: [],
};

function modelMatches({ path, method, headers }: RouteMatchRecord): readonly RouteMatch[] {
  const isAnyPath = path.kind === "prefix" && path.value === "/";
  if (isAnyPath && method === null && headers.length === 0) return [];
  return [{ path: isAnyPath ? null : path, method, headers }];
}

function ruleParts(
  rule: RouteRuleRecord,
  namespace: string,
  exists: (service: string, port: number) => boolean,
): Omit<Route, "name" | "matches"> {
  const { retry, requestTimeoutMs, backendTimeoutMs } = rule;
  const backends = rule.backends.map((backend) => weighted(backend, namespace, exists));
  if (retry === null) {
    // Without repeats one try is the whole request: the shorter of the two bounds it.
    const bounds = [requestTimeoutMs, backendTimeoutMs].filter((ms) => ms > 0);
    const timeoutMs = bounds.length === 0 ? 0 : Math.min(...bounds);
    return { backends, retry: null, requestTimeoutMs: timeoutMs };
  }
  return {
    backends,
    retry: {
      codes: retry.codes ?? retryCodesDefault,
      attempts: retry.attempts ?? retryAttemptsDefault,
      backoffMs: retry.backoffMs ?? retryBackoffMsDefault,
      perTryTimeoutMs: backendTimeoutMs,
    },
    requestTimeoutMs,
  };
}

/** A backend of another namespace would need a grant, which is not there yet: it keeps its weight. */
function weighted(
  backend: BackendRecord,
  namespace: string,
  exists: (service: string, port: number) => boolean,
): WeightedCluster {
  const service = keyOfMeta(backend);
  const isService = backend.kind === "Service" && backend.namespace === namespace;
  const isOwn = isService && exists(service, backend.port);
  const cluster = isOwn ? clusterName(service, backend.port) : unresolvedCluster;
  return { cluster, weight: backend.weight };
}

function defaultRoute(cluster: string): Route {
  return {
    name: "default",
    matches: [],
    backends: [{ cluster, weight: 1 }],
    retry: null,
    requestTimeoutMs: 0,
  };
}

/**
 * Gateway API, HTTPRouteRule: exact path, longest prefix, method, most headers; then the older route,
 * then the name, then the order of the rules.
 */
function byPrecedence(one: Candidate, other: Candidate): number {
  const exact = (each: Candidate): number => (each.match.path.kind === "exact" ? 1 : 0);
  const method = (each: Candidate): number => (each.match.method === null ? 0 : 1);
  return (
    exact(other) - exact(one) ||
    other.match.path.value.length - one.match.path.value.length ||
    method(other) - method(one) ||
    other.match.headers.length - one.match.headers.length ||
    one.createdAt - other.createdAt ||
    compareText(one.key, other.key) ||
    one.rule - other.rule
  );
}

function compareText(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function backendsOf(route: HttpRouteRecord): readonly string[] {
  return [...new Set(route.rules.flatMap((rule) => rule.backends.map(keyOfMeta)))];
}
