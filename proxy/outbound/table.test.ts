import test from "ava";
import { array, assert, constantFrom, property, record, tuple } from "fast-check";
import type { Cluster, Route, Service } from "#/api/discovery.ts";
import { emptySnapshot } from "#/api/snapshot.ts";
import type { Snapshot } from "#/api/snapshot.ts";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { parseSpiffeId, parseTrustDomain, workloadId } from "#/identity/spiffe-id.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { RouteTable } from "./table.ts";

const trustDomain = parseTrustDomain("cluster.local");
const id = workloadId(trustDomain, "b", "b");
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

const plain: Cluster = {
  name: "a/evil:80",
  protocol: "tcp",
  endpoints: [{ address: "10.77.1.2", port: 8080, identity: null, pod: "" }],
};

function table(of: Snapshot = snapshot()): RouteTable {
  const made = new RouteTable(["10.77.1.9", "fd00::9"], [4000, 5000, 4100], trustDomain);
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
  ["attack-28 another address of loopback", "127.9.9.9", 4100, "refused"],
  ["attack-28 the unspecified address, which is this host", "0.0.0.0", 4100, "refused"],
  ["attack-28 the unspecified address in version 6", "::", 4000, "refused"],
  ["attack-28 the own inbound port at the pod's second address", "fd00::9", 4000, "refused"],
  ["this very pod at its second address", "fd00::9", 8080, "self"],
  ["another pod's sidecar, which refuses by itself", "10.77.1.2", 4000, "passthrough"],
];
for (const [what, address, port, kind] of resolutions) {
  test(`resolve ${what} is ${kind}`, (t) => {
    t.is(table().resolve({ address, port }).kind, kind as never);
  });
}

test("resolve refuses everything before the first whole snapshot", (t) => {
  const made = new RouteTable(["10.77.1.9"], [4000], trustDomain);
  t.deepEqual(made.resolve({ address: "192.0.2.1", port: 443 }), {
    kind: "refused",
    reason: "no_snapshot",
  });
});

test("table reaches an endpoint of another trust domain by its service alone", (t) => {
  const made = table();
  const foreign = parseSpiffeId("spiffe://partner.mesh/ns/c/sa/c");
  const endpoint = { address: "203.0.113.7", port: 8080, identity: foreign, pod: "" };
  made.update(snapshot([route()], [{ ...cluster, endpoints: [endpoint] }]));
  const resolved = made.resolve({ address: "10.78.0.1", port: 80 });
  if (resolved.kind !== "service") throw new Error(resolved.kind);
  const [picked] = resolved.port.routes[0]?.canary.pick()?.endpoints ?? [];
  t.is(picked?.identity, foreign);
  // Any namespace may write such an endpoint down, of an address that is everybody's.
  t.is(made.resolve({ address: "203.0.113.7", port: 8080 }).kind, "passthrough");
  made.update(snapshot([route()], [cluster]));
  t.is(made.resolve({ address: "203.0.113.7", port: 8080 }).kind, "passthrough");
});

test("table picks no suspended endpoint while another is left, and names them when none is", (t) => {
  const made = table();
  const other = parseSpiffeId("spiffe://cluster.local/ns/c/sa/c");
  const two: Cluster = {
    ...cluster,
    endpoints: [
      ...cluster.endpoints,
      { address: "10.77.1.9", port: 8080, identity: other, pod: "c/c-0" },
    ],
  };
  const base = snapshot([route()], [two]);
  const picked = (suspended: readonly SpiffeId[]): readonly string[] => {
    made.update({ ...base, suspended: new Set(suspended) });
    const resolved = made.resolve({ address: "10.78.0.1", port: 80 });
    if (resolved.kind !== "service") throw new Error(resolved.kind);
    const picks = resolved.port.routes[0]?.canary.pick()?.endpoints ?? [];
    return picks.map(({ address }) => address);
  };
  t.deepEqual(picked([]), ["10.77.1.2", "10.77.1.9"]);
  t.deepEqual(picked([id]), ["10.77.1.9"]);
  t.deepEqual(picked([other]), ["10.77.1.2"]);
  t.deepEqual(picked([id, other]), ["10.77.1.2", "10.77.1.9"], "to be refused by name");
  t.deepEqual(picked([]), ["10.77.1.2", "10.77.1.9"]);
  t.is(made.resolve({ address: "10.77.1.2", port: 8080 }).kind, "endpoint", "never passed through");
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

const dual: Service = { ...service([route()]), addresses: ["10.78.0.1", "fd00:78::1"] };

/** Addresses of the endpoints that a caller of the service's address is sent to. */
function reachedBy(made: RouteTable, address: string): readonly string[] {
  const resolved = made.resolve({ address, port: 80 });
  if (resolved.kind !== "service") return [resolved.kind];
  return resolved.port.routes[0]?.canary.pick()?.endpoints.map((each) => each.address) ?? [];
}

test("table answers callers of each family at endpoints of that family", (t) => {
  const [endpoint] = cluster.endpoints;
  const mixed = { ...cluster, endpoints: [endpoint!, { ...endpoint!, address: "fd00::2" }] };
  const services = new Map([["b/b", dual]]);
  const made = table({ ...snapshot([], [mixed]), services });
  t.deepEqual(reachedBy(made, "10.78.0.1"), ["10.77.1.2"]);
  t.deepEqual(reachedBy(made, "fd00:78::1"), ["fd00::2"]);
  const direct = made.resolve({ address: "fd00::2", port: 8080 });
  t.is(direct.kind === "endpoint" ? direct.endpoint.identity : direct.kind, id);
  made.update({ ...snapshot(), services });
  t.deepEqual(reachedBy(made, "fd00:78::1"), ["10.77.1.2"], "better another family than none");
  const before = made.resolve({ address: "fd00:78::1", port: 80 });
  made.update(snapshot());
  t.is(made.resolve({ address: "fd00:78::1", port: 80 }).kind, "passthrough");
  t.deepEqual(before.kind === "service" ? before.port.routes : null, []);
  t.deepEqual(reachedBy(made, "10.78.0.1"), ["10.77.1.2"]);
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

test("attack-54 a record without an identity never turns a pod of the mesh to plaintext", (t) => {
  const identityOf = (made: RouteTable): unknown => {
    const resolved = made.resolve({ address: "10.77.1.2", port: 8080 });
    return resolved.kind === "endpoint" ? resolved.endpoint.identity : resolved.kind;
  };
  const made = table(snapshot([route()], [plain, cluster]));
  t.is(identityOf(made), id);
  t.is(identityOf(table(snapshot([route()], [cluster, plain]))), id);
  made.update(snapshot([route()], [cluster]));
  t.is(identityOf(made), id);
  made.update({ ...snapshot([route()], [plain, { ...cluster, endpoints: [] }]) });
  t.is(identityOf(made), null, "but the pod may leave the mesh");
  made.update(snapshot([route()], [{ ...cluster, endpoints: [] }]));
  t.is(identityOf(made), "passthrough");
});

test("attack-54 an endpoint at a service's address does not stand in for the service", (t) => {
  const endpoints = [{ address: "10.78.0.1", port: 80, identity: null, pod: "" }];
  const made = table(snapshot([route()], [{ ...plain, endpoints }, cluster]));
  t.is(made.resolve({ address: "10.78.0.1", port: 80 }).kind, "service");
});

test("attack-28 an endpoint that leads back into this sidecar is left out", (t) => {
  const bad = [
    { address: "127.0.0.1", port: 4100 },
    { address: "127.0.0.1", port: 8080 },
    { address: "::1", port: 8080 },
    { address: "0.0.0.0", port: 8080 },
    { address: "10.77.1.9", port: 5000 },
    { address: "fd00::9", port: 4000 },
  ].map(({ address, port }) => ({ address, port, identity: null, pod: "" }));
  const good = { address: "10.77.1.9", port: 8080, identity: id, pod: "b/b-1" };
  const made = new RouteTable(["10.77.1.9", "fd00::9"], [4000, 5000, 4100], trustDomain);
  const endpoints = made.update(snapshot([route()], [{ ...cluster, endpoints: [...bad, good] }]));
  t.deepEqual(
    [...endpoints].map(({ name, local }) => `${name} ${local}`),
    ["10.77.1.9:8080 true"],
  );
});

test("table keeps what an endpoint is known for while it moves between clusters", (t) => {
  const made = table();
  const [endpoint] = made.update(snapshot());
  endpoint!.activeRequests = 3;
  endpoint!.ejectedUntilMs = 99;
  const other: Cluster = { ...cluster, name: "b/other:80" };
  made.update(snapshot([route()], [cluster, other]));
  made.update(snapshot([route()], [{ ...cluster, endpoints: [] }, other]));
  const [kept, ...more] = made.update(snapshot([route()], [cluster, other]));
  t.is(kept, endpoint);
  t.deepEqual(more, []);
  t.is(kept?.activeRequests, 3);
});

test("table begins anew with an endpoint that proves another identity", (t) => {
  const made = table();
  const [before] = made.update(snapshot());
  const identity = workloadId(parseTrustDomain("cluster.local"), "b", "other");
  const changed = { ...cluster, endpoints: [{ ...cluster.endpoints[0]!, identity }] };
  const after = made.update(snapshot([route()], [changed]));
  t.false(after.has(before!));
  t.is(after.size, 1);
});

test("table forgets endpoints, clusters and addresses that are gone", (t) => {
  const made = table();
  t.is(made.update({ ...emptySnapshot, synced: true }).size, 0);
  t.is(made.resolve({ address: "10.78.0.1", port: 80 }).kind, "passthrough");
  t.is(made.resolve({ address: "10.77.1.2", port: 8080 }).kind, "passthrough");
  t.is(made.update(snapshot()).size, 1);
  t.is(made.resolve({ address: "10.78.0.1", port: 80 }).kind, "service");
});

test("table hands an address over when a service takes it from another", (t) => {
  const made = table();
  const heir: Service = { ...service([route()]), name: "c/c" };
  const nameAt = (): string => {
    const resolved = made.resolve({ address: "10.78.0.1", port: 80 });
    return resolved.kind === "service" ? resolved.port.service : resolved.kind;
  };
  const both = new Map([
    ["c/c", heir],
    ["b/b", service([route()])],
  ]);
  made.update({ ...snapshot(), services: both });
  t.is(nameAt(), "b/b");
  made.update({ ...snapshot(), services: new Map([["c/c", heir]]) });
  t.is(nameAt(), "c/c");
});

test("table drops a service's port that is gone, and its routes", (t) => {
  const two = service([route()]);
  const more = { ...two, ports: [...two.ports, { ...two.ports[0]!, port: 81 }] };
  const made = table({ ...snapshot(), services: new Map([["b/b", more]]) });
  const before = made.resolve({ address: "10.78.0.1", port: 81 });
  made.update(snapshot());
  t.is(made.resolve({ address: "10.78.0.1", port: 81 }).kind, "passthrough");
  t.deepEqual(before.kind === "service" ? before.port.routes : null, []);
});

test("table goes on with a canary's turns when its weights change", (t) => {
  const clusters = [cluster, { ...cluster, name: "b/c:80", endpoints: [] }];
  const split = (weight: number) =>
    snapshot(
      [
        route({
          backends: [
            { cluster: "b/b:80", weight },
            { cluster: "b/c:80", weight: 10 },
          ],
        }),
      ],
      clusters,
    );
  const made = table(split(90));
  let light = 0;
  for (let change = 0; change < 20; change += 1) {
    made.update(split(90 + (change % 2)));
    const resolved = made.resolve({ address: "10.78.0.1", port: 80 });
    const routes = resolved.kind === "service" ? resolved.port.routes : [];
    for (let pick = 0; pick < 5; pick += 1) {
      if (routes[0]?.canary.pick()?.name === "b/c:80") light += 1;
    }
  }
  t.true(light >= 9 && light <= 11, String(light));
});

test("table property: whatever the way, the same snapshot means the same", (t) => {
  const endpoint = record({
    address: constantFrom("10.77.1.1", "10.77.1.2", "10.77.1.3"),
    port: constantFrom(80, 81),
    identity: constantFrom(id, null),
    pod: constantFrom("b/b-0"),
  });
  const ways = array(
    array(tuple(constantFrom("x/x:80", "y/y:80", "z/z:80"), array(endpoint, { maxLength: 4 })), {
      maxLength: 3,
    }),
    { minLength: 1, maxLength: 5 },
  );
  assert(
    property(ways, (steps) => {
      const walked = new RouteTable([], [], trustDomain);
      let last = emptySnapshot;
      for (const step of steps) {
        const clusters = step.map(([name, all]): Cluster => {
          const endpoints = [
            ...new Map(all.map((each) => [each.address + each.port, each])).values(),
          ];
          return { name, protocol: "tcp", endpoints };
        });
        last = snapshot([route()], [cluster, ...clusters]);
        walked.update(last);
      }
      const straight = table(last);
      const means = (made: RouteTable, address: string, port: number): string => {
        const resolved = made.resolve({ address, port });
        if (resolved.kind !== "endpoint") return resolved.kind;
        return `${resolved.cluster.name} ${resolved.endpoint.identity}`;
      };
      return ["10.77.1.1", "10.77.1.2", "10.77.1.3"].every((address) =>
        [80, 81, 8080].every(
          (port) => means(walked, address, port) === means(straight, address, port),
        ),
      );
    }),
    fuzzOptions(t, 200),
  );
  t.pass();
});
