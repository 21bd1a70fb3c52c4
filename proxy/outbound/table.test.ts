import test from "ava";
import type { Cluster, Route, Service } from "#/api/discovery.ts";
import { emptySnapshot } from "#/api/snapshot.ts";
import type { Snapshot } from "#/api/snapshot.ts";
import { workloadId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import { matchRoute } from "./route.ts";
import type { RouteFacts } from "./route.ts";
import { RouteTable } from "./table.ts";

const id = workloadId(parseTrustDomain("cluster.local"), "b", "b");
const route = (change: Partial<Route> = {}): Route => ({
  name: "default",
  matches: [],
  backends: [{ cluster: "b/b:80", weight: 1 }],
  retry: null,
  requestTimeoutMs: 0,
  ...change,
});
const service = (routes: readonly Route[]): Service => ({
  name: "b/b",
  addresses: ["10.78.0.1"],
  hosts: ["b.b.svc.cluster.local"],
  ports: [{ port: 80, protocol: "http", routes }],
});
const cluster: Cluster = {
  name: "b/b:80",
  protocol: "http",
  endpoints: [{ address: "10.77.1.2", port: 8080, identity: id, pod: "b/b-0" }],
};

function snapshot(routes: readonly Route[] = [route()], clusters = [cluster]): Snapshot {
  return {
    ...emptySnapshot,
    synced: true,
    services: new Map([["b/b", service(routes)]]),
    clusters: new Map(clusters.map((each) => [each.name, each])),
  };
}

function table(of: Snapshot = snapshot()): RouteTable {
  const made = new RouteTable(["10.77.1.9"], [4000, 5000, 4100]);
  made.update(of);
  return made;
}

const resolutions: readonly [string, string, number, string][] = [
  ["a service's address", "10.78.0.1", 80, "service"],
  ["a pod of the mesh", "10.77.1.2", 8080, "endpoint"],
  ["another port of a service's address", "10.78.0.1", 81, "passthrough"],
  ["an address outside of the mesh", "192.0.2.1", 443, "passthrough"],
  ["this very pod", "10.77.1.9", 8080, "self"],
  ["attack-28 the own inbound port", "10.77.1.9", 4000, "refused"],
  ["attack-28 the own outbound port", "10.77.1.9", 5000, "refused"],
  ["attack-28 the own admin port", "10.77.1.9", 4100, "refused"],
  ["attack-28 the outbound port on loopback", "127.0.0.1", 5000, "refused"],
  ["attack-28 any loopback address", "127.0.0.1", 8080, "refused"],
  ["attack-28 loopback in version 6", "::1", 5000, "refused"],
];
for (const [what, address, port, kind] of resolutions) {
  test(`resolve ${what} is ${kind}`, (t) => {
    t.is(table().resolve({ address, port }).kind, kind as never);
  });
}

test("resolve refuses everything before the first whole snapshot", (t) => {
  const made = new RouteTable(["10.77.1.9"], [4000]);
  t.deepEqual(made.resolve({ address: "192.0.2.1", port: 443 }), {
    kind: "refused",
    reason: "no_snapshot",
  });
});

test("table keeps ports and endpoints across snapshots, and swaps their content", (t) => {
  const made = table();
  const before = made.resolve({ address: "10.78.0.1", port: 80 });
  const [endpoint] = made.update(snapshot());
  made.update(snapshot([route({ requestTimeoutMs: 5 })]));
  const after = made.resolve({ address: "10.78.0.1", port: 80 });
  t.is(before.kind === "service" && before.port, after.kind === "service" && after.port);
  t.is(after.kind === "service" ? after.port.routes[0]?.requestTimeoutMs : 0, 5);
  t.true(made.update(snapshot()).has(endpoint!));
});

test("table empties the routes of a service that is gone", (t) => {
  const made = table();
  const before = made.resolve({ address: "10.78.0.1", port: 80 });
  made.update({ ...snapshot(), services: new Map() });
  t.deepEqual(before.kind === "service" ? before.port.routes : null, []);
  t.is(made.resolve({ address: "10.78.0.1", port: 80 }).kind, "passthrough");
});

test("attack-54 an endpoint keeps the identity that it must prove", (t) => {
  const made = table();
  const resolved = made.resolve({ address: "10.77.1.2", port: 8080 });
  t.is(resolved.kind === "endpoint" ? resolved.endpoint.identity : null, id);
});

function facts(method: string, path: string, headers: Record<string, string> = {}): RouteFacts {
  return { method: () => method, path: () => path, header: (name) => headers[name] ?? null };
}

const matching = [
  route({
    name: "exact",
    matches: [{ path: { kind: "exact", value: "/a" }, method: null, headers: [] }],
  }),
  route({
    name: "prefix",
    matches: [{ path: { kind: "prefix", value: "/p/" }, method: null, headers: [] }],
  }),
  route({
    name: "header",
    matches: [{ path: null, method: "GET", headers: [{ name: "user", value: "test" }] }],
  }),
  route(),
];
const requests: readonly [string, RouteFacts, string][] = [
  ["an exact path", facts("GET", "/a"), "exact"],
  ["a longer path than the exact one", facts("GET", "/a/"), "default"],
  ["a prefix by whole elements", facts("GET", "/p/x"), "prefix"],
  ["a prefix itself", facts("GET", "/p"), "prefix"],
  ["a path that only begins alike", facts("GET", "/pp"), "default"],
  ["a header and a method", facts("GET", "/", { user: "test" }), "header"],
  ["a header with another method", facts("POST", "/", { user: "test" }), "default"],
  ["a header with another value", facts("GET", "/", { user: "Test" }), "default"],
];
for (const [what, request, name] of requests) {
  test(`route takes ${what} to "${name}"`, (t) => {
    const resolved = table(snapshot(matching)).resolve({ address: "10.78.0.1", port: 80 });
    const routes = resolved.kind === "service" ? resolved.port.routes : [];
    t.is(matchRoute(routes, request)?.name, name);
  });
}

test("route finds nothing when no match fits and there is no default", (t) => {
  const resolved = table(snapshot(matching.slice(0, 1))).resolve({
    address: "10.78.0.1",
    port: 80,
  });
  const routes = resolved.kind === "service" ? resolved.port.routes : [];
  t.is(matchRoute(routes, facts("GET", "/z")), null);
});
