import test from "ava";
import * as fc from "fast-check";
import { updates } from "#/test/kit/arbitraries.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import { DiscoveryError } from "./discovery.ts";
import type { Resource, Route, Service, Update } from "./discovery.ts";
import * as limits from "./resource-check.ts";
import { applyUpdate, emptySnapshot, heldResources, snapshotResourcesMax } from "./snapshot.ts";

const route: Route = {
  name: "default",
  matches: [],
  backends: [{ cluster: "n/s:80", weight: 1 }],
  retry: null,
  requestTimeoutMs: 0,
};
const service = (change: Partial<Service> = {}, name = "n/s"): Resource => ({
  kind: "service",
  name,
  version: "1",
  service: {
    name,
    addresses: ["10.0.0.1"],
    hosts: ["s.n.svc"],
    ports: [{ port: 80, protocol: "http", routes: [route] }],
    ...change,
  },
});
const withRoute = (change: Partial<Route>): Resource =>
  service({
    ports: [{ port: 80, protocol: "http", routes: [{ ...route, ...change }, route] }],
  });
const endpoint = { address: "10.1.0.1", port: 8080, identity: null, pod: "n/p" };
const cluster = (change: object = {}, name = "n/s:80"): Resource => ({
  kind: "cluster",
  name,
  version: "1",
  cluster: { name, protocol: "http", endpoints: [endpoint], ...change },
});
const policy: Resource = {
  kind: "serverPolicy",
  name: "",
  version: "1",
  policy: {
    mode: "strict",
    ports: new Map(),
    requiresPostQuantum: false,
    foreignCallers: new Set(),
    source: "default",
  },
};
const badPolicy: Resource = {
  kind: "serverPolicy",
  name: "",
  version: "1",
  policy: {
    mode: "strict",
    ports: new Map([[0, "disable"]]),
    requiresPostQuantum: false,
    foreignCallers: new Set(),
    source: "",
  },
};
const bundle = (domain = "cluster.local", roots = [new Uint8Array([1])]): Resource => ({
  kind: "trustBundle",
  name: "",
  version: "1",
  bundle: { trustDomain: parseTrustDomain(domain), roots },
});
const suspensions: Resource = { kind: "suspensions", name: "", version: "1", suspended: new Set() };
const update = (upserts: readonly Resource[], rest: Partial<Update> = {}): Update => ({
  sequence: 1,
  upserts,
  removals: [],
  synced: false,
  ...rest,
});
const full = applyUpdate(
  emptySnapshot,
  update([bundle(), policy, suspensions, cluster(), service()], { synced: true }),
);

test("applyUpdate holds what came, and tells it in the next hello", (t) => {
  t.true(full.synced);
  t.is(full.services.get("n/s")?.ports.length, 1);
  t.is(full.policy?.mode, "strict");
  t.deepEqual(
    heldResources(full).map(({ kind, name, version }) => `${kind}|${name}@${version}`),
    ["trustBundle|@1", "serverPolicy|@1", "suspensions|@1", "cluster|n/s:80@1", "service|n/s@1"],
  );
});

test("applyUpdate replaces and removes, and leaves the snapshot that it was given alone", (t) => {
  const other = cluster({ endpoints: [] });
  const next = applyUpdate(full, update([{ ...other, version: "2" }]));
  t.is(next.clusters.get("n/s:80")?.endpoints.length, 0);
  t.is(full.clusters.get("n/s:80")?.endpoints.length, 1);
  t.is(next.services, full.services, "what did not change is shared");
  const gone = applyUpdate(
    next,
    update([], {
      removals: [
        { kind: "service", name: "n/s" },
        { kind: "cluster", name: "n/s:80" },
        { kind: "cluster", name: "never there" },
      ],
    }),
  );
  t.is(gone.services.size + gone.clusters.size, 0);
  t.is(gone.versions.size, 3);
  t.true(gone.synced, "once synced, always synced");
});

const many = <T>(count: number, item: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => item(index));
const match = { path: null, method: null, headers: [] };

const refused: readonly [title: string, update: Update, message: RegExp][] = [
  ["a key twice", update([cluster(), cluster()]), /is named twice/],
  [
    "a key that comes and goes at once",
    update([cluster()], { removals: [{ kind: "cluster", name: "n/s:80" }] }),
    /is named twice/,
  ],
  [
    "an end of the policy",
    update([], { removals: [{ kind: "serverPolicy", name: "" }] }),
    /replaced and not removed/,
  ],
  [
    "an end of the suspensions",
    update([], { removals: [{ kind: "suspensions", name: "" }] }),
    /replaced and not removed/,
  ],
  [
    "an end of the bundle (attack case 13)",
    update([], { removals: [{ kind: "trustBundle", name: "" }] }),
    /replaced and not removed/,
  ],
  ["a bundle without roots (attack case 13)", update([bundle("cluster.local", [])]), /no root/],
  ["an empty root", update([bundle("cluster.local", [new Uint8Array()])]), /root is empty/],
  [
    "a bundle of another trust domain (attack case 7)",
    update([bundle("evil.local")]),
    /changes from "cluster.local" to "evil.local"/,
  ],
  [
    "a removal of a cluster that a route still names",
    update([], { removals: [{ kind: "cluster", name: "n/s:80" }] }),
    /names cluster "n\/s:80", which is not there/,
  ],
  [
    "a route to a cluster that is not there",
    update([withRoute({ backends: [{ cluster: "n/x:1", weight: 1 }] })]),
    /names cluster "n\/x:1"/,
  ],
  ["a service of another name", update([{ ...service(), name: "n/t" }]), /another name/],
  ["a cluster of another name", update([{ ...cluster(), name: "n/t:1" }]), /another name/],
  ["a policy with a name", update([{ ...policy, name: "x" }]), /has no name/],
  ["a resource without a version", update([{ ...cluster(), version: "" }]), /version is empty/],
  ["an address that is none", update([service({ addresses: ["host"] })]), /not an address/],
  ["a host in capitals", update([service({ hosts: ["S.n"] })]), /not a host name/],
  [
    "a port without a route",
    update([service({ ports: [{ port: 80, protocol: "http", routes: [] }] })]),
    /no route/,
  ],
  [
    "a port whose last route does not match everything",
    update([
      service({
        ports: [{ port: 80, protocol: "http", routes: [{ ...route, matches: [match] }] }],
      }),
    ]),
    /does not match everything/,
  ],
  [
    "a port twice",
    update([service({ ports: many(2, () => ({ port: 80, protocol: "http", routes: [route] })) })]),
    /port 80 is there twice/,
  ],
  ["an endpoint twice", update([cluster({ endpoints: [endpoint, endpoint] })]), /is there twice/],
  ["port 0", update([cluster({ endpoints: [{ ...endpoint, port: 0 }] })]), /0 is not a port/],
  ["port 65536", update([cluster({ endpoints: [{ ...endpoint, port: 65_536 }] })]), /not a port/],
  [
    "an endpoint by name (attack case 54)",
    update([cluster({ endpoints: [{ ...endpoint, address: "evil.example" }] })]),
    /not an address/,
  ],
  [
    "a weight below zero",
    update([withRoute({ backends: [{ cluster: "n/s:80", weight: -1 }] })]),
    /not a whole number/,
  ],
  [
    "a path without slash",
    update([withRoute({ matches: [{ ...match, path: { kind: "prefix", value: "a" } }] })]),
    /does not begin with/,
  ],
  [
    "a header name in capitals, which would never match",
    update([withRoute({ matches: [{ ...match, headers: [{ name: "X", value: "" }] }] })]),
    /not a lower-case/,
  ],
  [
    "a header value with a line break (attack case 43)",
    update([withRoute({ matches: [{ ...match, headers: [{ name: "x", value: "a\nb" }] }] })]),
    /control character/,
  ],
  [
    "a method that is none",
    update([withRoute({ matches: [{ ...match, method: "GET /" }] })]),
    /not a method/,
  ],
  [
    "a retry on success",
    update([withRoute({ retry: { codes: [200], attempts: 1, backoffMs: 1, perTryTimeoutMs: 0 } })]),
    /200 is not an error/,
  ],
  ["a policy for port 0", update([badPolicy]), /0 is not a port/],
];
for (const [title, bad, message] of refused) {
  test(`applyUpdate refuses ${title}`, (t) => {
    t.throws(() => applyUpdate(full, bad), {
      instanceOf: DiscoveryError,
      code: "update_invalid",
      message,
    });
  });
}

const overflows: readonly [title: string, resource: Resource, noun: RegExp][] = [
  [
    "endpoints",
    cluster({ endpoints: many(limits.endpointsPerClusterMax + 1, () => endpoint) }),
    /endpoints 50001 above/,
  ],
  [
    "ports",
    service({
      ports: many(limits.portsPerServiceMax + 1, (port) => ({
        port,
        protocol: "tcp",
        routes: [route],
      })),
    }),
    /ports 257/,
  ],
  [
    "routes",
    service({
      ports: [
        { port: 80, protocol: "tcp", routes: many(limits.routesPerPortMax + 1, () => route) },
      ],
    }),
    /routes 257/,
  ],
  [
    "matches",
    withRoute({ matches: many(limits.matchesPerRouteMax + 1, () => match) }),
    /matches 65/,
  ],
  [
    "backends",
    withRoute({ backends: many(limits.backendsPerRouteMax + 1, () => route.backends[0]!) }),
    /backends 65/,
  ],
  [
    "weight",
    withRoute({ backends: [{ cluster: "n/s:80", weight: limits.weightMax + 1 }] }),
    /weight 1000001/,
  ],
  [
    "headers",
    withRoute({
      matches: [
        {
          ...match,
          headers: many(limits.headersPerMatchMax + 1, () => ({ name: "x", value: "" })),
        },
      ],
    }),
    /headers 17/,
  ],
  [
    "header bytes",
    withRoute({
      matches: [
        { ...match, headers: [{ name: "x", value: "y".repeat(limits.matchTextBytesMax) }] },
      ],
    }),
    /header bytes/,
  ],
  [
    "path bytes",
    withRoute({
      matches: [
        { ...match, path: { kind: "exact", value: `/${"y".repeat(limits.matchTextBytesMax)}` } },
      ],
    }),
    /path bytes/,
  ],
  [
    "retry attempts",
    withRoute({
      retry: { codes: [], attempts: limits.retryAttemptsMax + 1, backoffMs: 0, perTryTimeoutMs: 0 },
    }),
    /retry attempts 17/,
  ],
  [
    "retry codes",
    withRoute({
      retry: {
        codes: many(limits.retryCodesMax + 1, () => 500),
        attempts: 1,
        backoffMs: 0,
        perTryTimeoutMs: 0,
      },
    }),
    /retry codes 33/,
  ],
  ["duration", withRoute({ requestTimeoutMs: limits.durationMsMax + 1 }), /duration ms/],
  [
    "roots",
    bundle(
      "cluster.local",
      many(limits.rootsMax + 1, () => new Uint8Array(1)),
    ),
    /roots 33/,
  ],
  ["root bytes", bundle("cluster.local", [new Uint8Array(limits.rootBytesMax + 1)]), /root bytes/],
  [
    "identities",
    {
      ...suspensions,
      suspended: new Set(
        many(limits.suspendedMax + 1, (index) =>
          parseSpiffeId(`spiffe://cluster.local/ns/n/sa/s${index}`),
        ),
      ),
    },
    /identities 10001/,
  ],
  ["name bytes", cluster({}, "n".repeat(limits.nameBytesMax + 1)), /name bytes 513/],
];
for (const [title, resource, message] of overflows) {
  test(`attack-25 applyUpdate refuses more ${title} than the limit`, (t) => {
    t.throws(() => applyUpdate(full, update([resource])), {
      instanceOf: DiscoveryError,
      code: "limit_exceeded",
      message,
    });
  });
}

test("attack-25 applyUpdate refuses more resources than the limit", (t) => {
  const each = many(snapshotResourcesMax, (index) => cluster({ endpoints: [] }, `n/s:${index}`));
  t.throws(() => applyUpdate(full, update(each)), { code: "limit_exceeded", message: /100000/ });
});

for (const missing of [[bundle(), policy], [policy, suspensions], [bundle(), suspensions], []]) {
  const kinds = missing.map(({ kind }) => kind).join() || "nothing";
  test(`applyUpdate does not call itself synced with ${kinds} alone`, (t) => {
    t.throws(() => applyUpdate(emptySnapshot, update(missing, { synced: true })), {
      code: "update_invalid",
      message: /without server policy, trust bundle and suspensions/,
    });
  });
}

test("applyUpdate applies whole or throws DiscoveryError and changes nothing", (t) => {
  const before = heldResources(full).length;
  fc.assert(
    fc.property(updates, (random) => {
      try {
        applyUpdate(full, random);
      } catch (thrown) {
        if (!(thrown instanceof DiscoveryError)) throw thrown;
      }
      t.is(full.versions.size, before);
      t.is(full.services.size + full.clusters.size, 2);
    }),
    { numRuns: 300 },
  );
});
