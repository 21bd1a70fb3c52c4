// What becomes of an HTTPRoute, in the Gateway API's words: for each Service that it names as parent,
// whether it routes for it, and for all of them, whether its backends are there. Pure.
import type { Verdict } from "#/cluster/kubernetes/condition.ts";
import type { BackendRecord, HttpRouteRecord, RouteParent } from "#/cluster/events.ts";
import type { ServicePortRecord } from "#/cluster/events.ts";
import { keyOfMeta } from "#/cluster/events.ts";
import { isMeant } from "./routes.ts";

export interface RouteVerdict {
  /** One for each of the route's parents, in their order. */
  readonly accepted: readonly Verdict[];
  readonly resolvedRefs: Verdict;
}

/** The ports of a service; null when there is none that requests can be routed for. */
export type PortsOf = (service: string) => readonly ServicePortRecord[] | null;

export function judgeRoute(route: HttpRouteRecord, portsOf: PortsOf): RouteVerdict {
  const { namespace } = route.meta;
  return {
    accepted: route.parents.map((parent) => judgeParent(parent, namespace, portsOf)),
    resolvedRefs: judgeBackends(route, portsOf),
  };
}

function judgeParent(parent: RouteParent, namespace: string, portsOf: PortsOf): Verdict {
  const service = keyOfMeta(parent);
  if (parent.namespace !== namespace) {
    return no(
      "NotAllowedByListeners",
      `Service "${service}" is in another namespace: a route holds for Services of its own`,
    );
  }
  const ports = portsOf(service);
  if (ports === null) return no("NoMatchingParent", `There is no Service "${service}"`);
  if (ports.some((port) => isMeant(parent, port))) {
    return { status: "True", reason: "Accepted", message: "In force" };
  }
  const named = [parent.port, parent.portName].filter((each) => each !== null).join(" named ");
  return no("NoMatchingParent", `Service "${service}" has no port ${named}`);
}

/** Of several faults the first one gives the reason, and all are told. */
function judgeBackends(route: HttpRouteRecord, portsOf: PortsOf): Verdict {
  const faults = route.rules.flatMap((rule, ruleIndex) =>
    rule.backends.flatMap((backend, index) => {
      const found = backendFault(backend, route.meta.namespace, portsOf);
      const path = `spec.rules.${ruleIndex}.backendRefs.${index}`;
      return found === null ? [] : [{ ...found, message: `${path}: ${found.message}` }];
    }),
  );
  const [first] = faults;
  if (first === undefined) {
    return { status: "True", reason: "ResolvedRefs", message: "All backends are there" };
  }
  const told = faults.slice(0, faultsMax).map(({ message }) => message);
  const state = `${told.join("; ")}. Requests that fall to it are refused`;
  return no(first.reason, state);
}

/** Faults told of one route; the first ones say enough. */
const faultsMax = 5;

function backendFault(
  backend: BackendRecord,
  namespace: string,
  portsOf: PortsOf,
): { readonly reason: string; readonly message: string } | null {
  const service = keyOfMeta(backend);
  if (backend.kind !== "Service") {
    return { reason: "InvalidKind", message: `is a ${backend.kind}; only Services are supported` };
  }
  if (backend.namespace !== namespace) {
    const message = `Service "${service}" is in another namespace, and no ReferenceGrant is honoured`;
    return { reason: "RefNotPermitted", message };
  }
  const ports = portsOf(service);
  if (ports === null) {
    return { reason: "BackendNotFound", message: `there is no Service "${service}"` };
  }
  if (ports.some(({ port }) => port === backend.port)) return null;
  const message = `Service "${service}" has no port ${backend.port}`;
  return { reason: "BackendNotFound", message };
}

function no(reason: string, message: string): Verdict {
  return { status: "False", reason, message };
}
