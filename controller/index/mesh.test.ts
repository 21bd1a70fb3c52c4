import test from "ava";
import * as fc from "fast-check";
import type { Cluster, Resource } from "#/api/discovery.ts";
import { applyUpdate, emptySnapshot } from "#/api/snapshot.ts";
import type { WorldEvent, WorldObject } from "#/cluster/events.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { applied, deleted, pod, policy, route, service, slice } from "#/test/kit/objects.ts";
import { Mesh } from "./mesh.ts";

const trustDomain = parseTrustDomain("cluster.local");
const idOf = (namespace: string, account: string): string =>
  `spiffe://cluster.local/ns/${namespace}/sa/${account}`;

function meshOf(...objects: readonly WorldObject[]): Mesh {
  const mesh = new Mesh(trustDomain);
  for (const object of objects) mesh.apply(applied(object));
  mesh.apply({ type: "synced" });
  mesh.flush();
  return mesh;
}

function clusterOf(mesh: Mesh, name: string): Cluster | undefined {
  const resource = mesh.resources.get(`cluster|${name}`);
  return resource?.kind === "cluster" ? resource.cluster : undefined;
}

/** "address:port identity" of each endpoint; "-" for one outside the mesh. */
function endpointsOf(mesh: Mesh, name = "app/web:80"): readonly string[] | undefined {
  return clusterOf(mesh, name)?.endpoints.map(
    ({ address, port, identity }) => `${address}:${port} ${identity ?? "-"}`,
  );
}

const web = service("app/web");
const one = pod("app/one", { address: "10.1.0.1", account: "sa" });
const two = pod("app/two", { address: "10.1.0.2", account: "sa" });
const both = slice("app/web-1", "web", ["10.1.0.1@one", "10.1.0.2@two"]);

test("flush compiles a service with its addresses, hosts and default route", (t) => {
  const resource = meshOf(web).resources.get("service|app/web");
  t.like(resource?.kind === "service" ? resource.service : {}, {
    name: "app/web",
    addresses: ["10.0.0.1"],
    hosts: ["web.app.svc.cluster.local", "web.app.svc", "web.app"],
    ports: [
      {
        port: 80,
        protocol: "http",
        routes: [
          { name: "default", matches: [], backends: [{ cluster: "app/web:80", weight: 1 }] },
        ],
      },
    ],
  });
});

const endpointCases: readonly [string, readonly WorldObject[], readonly string[]][] = [
  [
    "gives an endpoint the identity of its pod's service account",
    [web, one, slice("app/web-1", "web", ["10.1.0.1@one"])],
    [`10.1.0.1:8080 ${idOf("app", "sa")}`],
  ],
  [
    "gives none to a pod without a sidecar",
    [web, pod("app/one", { injected: false }), slice("app/web-1", "web", ["10.1.0.1@one"])],
    ["10.1.0.1:8080 -"],
  ],
  [
    "leaves out what is not ready",
    [web, one, two, slice("app/web-1", "web", ["!10.1.0.1@one", "10.1.0.2@two"])],
    [`10.1.0.2:8080 ${idOf("app", "sa")}`],
  ],
  [
    "leaves out a pod that is not known yet, rather than speak plaintext to it",
    [web, slice("app/web-1", "web", ["10.1.0.1@one"])],
    [],
  ],
  [
    "leaves out a pod that has failed",
    [web, pod("app/one", { phase: "Failed" }), slice("app/web-1", "web", ["10.1.0.1@one"])],
    [],
  ],
  [
    "leaves out an endpoint whose reference and address are two pods'",
    [web, one, two, slice("app/web-1", "web", ["10.1.0.1@two"])],
    [],
  ],
  [
    "leaves out a reference to an earlier pod of that name",
    [web, pod("app/one", { uid: "new" }), slice("app/web-1", "web", ["10.1.0.1@one"])],
    [],
  ],
  [
    "takes the address of a mesh pod for that pod, also without a reference",
    [web, one, slice("app/web-1", "web", ["10.1.0.1"])],
    [`10.1.0.1:8080 ${idOf("app", "sa")}`],
  ],
  [
    "gives none to an address outside the cluster",
    [web, slice("app/web-1", "web", ["192.0.2.1"])],
    ["192.0.2.1:8080 -"],
  ],
  [
    "gives none to a pod on the node's network, whatever its annotation says",
    [
      web,
      pod("app/one", { address: "10.9.0.1", hostNetwork: true }),
      slice("app/web-1", "web", ["10.9.0.1@one"]),
    ],
    ["10.9.0.1:8080 -"],
  ],
  [
    "joins several slices and names an endpoint once",
    [web, one, two, both, slice("app/web-2", "web", ["10.1.0.2@two"])],
    [`10.1.0.1:8080 ${idOf("app", "sa")}`, `10.1.0.2:8080 ${idOf("app", "sa")}`],
  ],
  [
    "passes over a slice port of another name",
    [web, one, slice("app/web-1", "web", ["10.1.0.1@one"], [{ name: "metrics", port: 9090 }])],
    [],
  ],
];
for (const [title, objects, expected] of endpointCases) {
  test(`flush ${title}`, (t) => {
    t.deepEqual(endpointsOf(meshOf(...objects)), expected);
  });
}

const changes: readonly [string, readonly WorldEvent[], readonly string[]][] = [
  ["a pod that no service names", [applied(pod("other/p", { address: "10.1.0.9" }))], []],
  ["the same object again", [applied(one), applied(web), applied(both)], []],
  [
    "a pod's new address",
    [applied(pod("app/one", { address: "10.1.0.7", account: "sa" }))],
    ["cluster|app/web:80"],
  ],
  ["a pod's labels", [applied(pod("app/one", { account: "sa", labels: { a: "b" } }))], []],
  [
    "an endpoint that is not ready any more",
    [applied(slice("app/web-1", "web", ["!10.1.0.1@one", "10.1.0.2@two"]))],
    ["cluster|app/web:80"],
  ],
  [
    "a route",
    [applied(route("app/r", { name: "web" }, [{ backendRefs: [{ name: "web", port: 80 }] }]))],
    ["service|app/web"],
  ],
  ["a service that goes", [deleted(web)], ["cluster|app/web:80", "service|app/web"]],
  [
    "a port that changes",
    [applied(service("app/web", { ports: [{ name: "http", port: 81 }] }))],
    ["cluster|app/web:80", "cluster|app/web:81", "service|app/web"],
  ],
  [
    "what becomes a name for another place",
    [applied(service("app/web", { type: "ExternalName" }))],
    ["cluster|app/web:80", "service|app/web"],
  ],
];
for (const [title, events, expected] of changes) {
  test(`flush tells of ${title} exactly what differs`, (t) => {
    const mesh = meshOf(web, service("app/unrelated"), one, two, both);
    for (const event of events) mesh.apply(event);
    const { changed } = mesh.flush();
    t.deepEqual(changed.map(({ kind, name }) => `${kind}|${name}`).sort(), expected);
  });
}

test("flush compiles a backend's callers again when it comes and when it goes", (t) => {
  const rules = [{ backendRefs: [{ name: "v1", port: 80 }] }];
  const mesh = meshOf(web, route("app/r", { name: "web" }, rules));
  const backend = (): string | undefined => {
    const resource = mesh.resources.get("service|app/web");
    const service = resource?.kind === "service" ? resource.service : undefined;
    return service?.ports[0]?.routes[0]?.backends[0]?.cluster;
  };
  t.is(backend(), "unresolved");
  mesh.apply(applied(service("app/v1")));
  mesh.flush();
  t.is(backend(), "app/v1:80");
  mesh.apply(deleted(service("app/v1")));
  t.deepEqual(
    mesh
      .flush()
      .changed.map(({ name }) => name)
      .sort(),
    ["app/v1", "app/v1:80", "app/web"],
  );
  t.is(backend(), "unresolved");
});

test("flush names the pods and namespaces whose policy must be decided again", (t) => {
  const mesh = meshOf(one);
  mesh.apply(applied(policy("app/default", { mtls: { mode: "STRICT" } })));
  t.deepEqual(mesh.flush().policyNamespaces, new Set(["app"]));
  mesh.apply(applied(policy("signet-system/default", {})));
  t.is(mesh.flush().policyNamespaces, "all");
  mesh.apply(applied(pod("app/one", { labels: { a: "b" } })));
  t.deepEqual(mesh.flush().pods, new Set(["app/one"]));
});

test("flush keeps the last good one of what cannot be compiled", (t) => {
  const mesh = meshOf(web);
  const many = Array.from({ length: 300 }, (_, index) => ({ name: `p${index}`, port: index + 1 }));
  mesh.apply(applied(service("app/web", { ports: many })));
  const { faults } = mesh.flush();
  t.deepEqual(
    faults.map(({ key }) => key),
    ["service|app/web"],
  );
  t.regex(faults[0]?.reason ?? "", /ports 300 above 256/);
  const kept = mesh.resources.get("service|app/web");
  t.is(kept?.kind === "service" && kept.service.ports.length, 1);
});

test("apply of an invalid object or a lost watch changes nothing", (t) => {
  const mesh = meshOf(web, one, two, both);
  mesh.apply({ type: "disconnected", reason: "x" });
  t.true(mesh.isSynced);
  t.deepEqual(mesh.flush().changed, []);
});

const events: fc.Arbitrary<WorldEvent> = (() => {
  const names = fc.constantFrom("a", "b");
  const key = names.map((name) => `app/${name}`);
  const address = fc.constantFrom("10.1.0.1", "10.1.0.2", "10.1.0.3");
  const objects = fc.oneof(
    fc
      .record({ key, address, injected: fc.boolean(), phase: fc.constantFrom("Running", "Failed") })
      .map(({ key, ...fields }) => pod(key, fields)),
    fc
      .tuple(key, fc.constantFrom(80, 81))
      .map(([key, port]) => service(key, { ports: [{ name: "http", port }] })),
    fc
      .tuple(key, names, fc.array(fc.tuple(address, names), { maxLength: 2 }))
      .map(([key, name, list]) =>
        slice(
          key,
          name,
          list.map(([at, pod]) => `${at}@${pod}`),
        ),
      ),
    fc
      .tuple(key, names, names)
      .map(([key, parent, backend]) =>
        route(key, { name: parent }, [{ backendRefs: [{ name: backend, port: 80 }] }]),
      ),
  );
  return fc
    .tuple(objects, fc.boolean())
    .map(([object, isGone]) => (isGone ? deleted(object) : applied(object)));
})();

const shared = (mesh: Mesh): Record<string, Resource> =>
  Object.fromEntries([...mesh.resources].sort(([one], [other]) => (one < other ? -1 : 1)));

test("flush after any history equals one compile of what is left, however it was cut", (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(events, fc.boolean()), { maxLength: 40 }), (history) => {
      const mesh = new Mesh(trustDomain);
      const left = new Map<string, WorldEvent>();
      for (const [event, isFlush] of history) {
        mesh.apply(event);
        if (event.type === "applied") {
          const { kind, meta } = event.object;
          left.set(`${kind} ${meta.namespace}/${meta.name}`, event);
        }
        if (event.type === "deleted") left.delete(`${event.kind} ${event.key}`);
        if (isFlush) mesh.flush();
      }
      mesh.flush();
      const fresh = new Mesh(trustDomain);
      for (const event of left.values()) fresh.apply(event);
      fresh.flush();
      t.deepEqual(shared(mesh), shared(fresh));
    }),
    { numRuns: 200 },
  );
});

test("flush gives updates that a sidecar can apply, whatever happens", (t) => {
  fc.assert(
    fc.property(fc.array(events, { maxLength: 30 }), (history) => {
      const mesh = new Mesh(trustDomain);
      let snapshot = emptySnapshot;
      let sequence = 0;
      const send = (keys: Iterable<string>): void => {
        const texts = [...keys];
        snapshot = applyUpdate(snapshot, {
          sequence: (sequence += 1),
          upserts: texts.flatMap((text) => mesh.resources.get(text) ?? []),
          removals: texts
            .filter((text) => !mesh.resources.has(text))
            .map((text) => {
              const [kind, name] = text.split("|");
              return { kind: kind as "service", name: name ?? "" };
            }),
          synced: false,
        });
      };
      send(mesh.resources.keys());
      for (const event of history) {
        mesh.apply(event);
        send(mesh.flush().changed.map(({ kind, name }) => `${kind}|${name}`));
      }
      t.is(snapshot.versions.size, mesh.resources.size);
    }),
    { numRuns: 100 },
  );
});

test("isCurrent is true while the world is listed whole, compiled and followed", (t) => {
  const mesh = new Mesh(trustDomain);
  const isCurrent = (event: WorldEvent): boolean => {
    mesh.apply(event);
    mesh.flush();
    return mesh.isCurrent;
  };
  t.false(isCurrent(applied(web)));
  mesh.apply({ type: "synced" });
  t.false(mesh.isCurrent, "not compiled yet");
  t.true(isCurrent(applied(one)));
  t.false(isCurrent({ type: "disconnected", reason: "gone" }));
  t.true(mesh.isCompiled, "what is known is served all the same");
  t.true(isCurrent({ type: "synced" }));
});
