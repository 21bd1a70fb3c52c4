import test from "ava";
import type { MtlsMode } from "#/api/policy.ts";
import type { PeerAuthenticationRecord, PodRecord, WorldObject } from "#/cluster/events.ts";
import { keyOfMeta } from "#/cluster/events.ts";
import { pod, policy } from "#/test/kit/objects.ts";
import { Policies } from "./policies.ts";

const strict = { mtls: { mode: "STRICT" } };
const permissive = { mtls: { mode: "PERMISSIVE" } };
const disable = { mtls: { mode: "DISABLE" } };
const forWeb = (spec: object): Record<string, unknown> => ({
  ...spec,
  selector: { matchLabels: { app: "web" } },
});
const web = pod("app/web-1", { labels: { app: "web" } }) as PodRecord;

function policiesOf(...objects: readonly WorldObject[]): Policies {
  const policies = new Policies();
  for (const object of objects) if (object.kind === "PeerAuthentication") policies.apply(object);
  return policies;
}

const cases: readonly [
  title: string,
  objects: readonly WorldObject[],
  mode: MtlsMode,
  ports: readonly [number, string][],
  source: string,
][] = [
  ["no object", [], "permissive", [], "default"],
  [
    "the mesh's object",
    [policy("signet-system/default", strict)],
    "strict",
    [],
    "PeerAuthentication signet-system/default",
  ],
  [
    "the namespace's before the mesh's",
    [policy("signet-system/default", strict), policy("app/default", permissive)],
    "permissive",
    [],
    "PeerAuthentication app/default",
  ],
  [
    "the workload's before the namespace's",
    [policy("app/default", permissive), policy("app/web", forWeb(strict))],
    "strict",
    [],
    "PeerAuthentication app/web",
  ],
  ["not another namespace's", [policy("other/default", strict)], "permissive", [], "default"],
  [
    "not one for other pods",
    [policy("app/db", { ...strict, selector: { matchLabels: { app: "db" } } })],
    "permissive",
    [],
    "default",
  ],
  [
    "not one whose selector the pod meets in part",
    [policy("app/x", { ...strict, selector: { matchLabels: { app: "web", tier: "a" } } })],
    "permissive",
    [],
    "default",
  ],
  [
    "not one of signet-system that selects pods there",
    [policy("signet-system/x", forWeb(strict))],
    "permissive",
    [],
    "default",
  ],
  [
    "the older one of two for the same pods",
    [policy("app/a", forWeb(permissive), 5), policy("app/b", forWeb(strict), 2)],
    "strict",
    [],
    "PeerAuthentication app/b",
  ],
  [
    "by name when two are equally old",
    [policy("app/b", strict), policy("app/a", disable)],
    "disable",
    [],
    "PeerAuthentication app/a",
  ],
  [
    "single ports of the nearest object",
    [policy("app/web", forWeb({ ...strict, portLevelMtls: { 9090: { mode: "DISABLE" } } }))],
    "strict",
    [[9090, "disable"]],
    "PeerAuthentication app/web",
  ],
  [
    "the wider mode where the nearest object leaves it open",
    [
      policy("app/default", strict),
      policy("app/web", forWeb({ portLevelMtls: { 9090: { mode: "PERMISSIVE" } } })),
    ],
    "strict",
    [[9090, "permissive"]],
    "PeerAuthentication app/web, PeerAuthentication app/default",
  ],
  [
    "no ports of a wider object",
    [
      policy("app/default", { ...strict, portLevelMtls: { 9090: { mode: "DISABLE" } } }),
      policy("app/web", forWeb(strict)),
    ],
    "strict",
    [],
    "PeerAuthentication app/web",
  ],
  [
    "a port that says what holds anyway only once",
    [policy("app/default", { ...strict, portLevelMtls: { 9090: { mode: "STRICT" } } })],
    "strict",
    [],
    "PeerAuthentication app/default",
  ],
];
for (const [title, objects, mode, ports, source] of cases) {
  test(`decide takes ${title}`, (t) => {
    const decided = policiesOf(...objects).decide(web);
    t.is(decided.mode, mode);
    t.deepEqual([...decided.ports], ports);
    t.is(decided.source, source);
  });
}

const requiring = { mtls: { mode: "STRICT", postQuantum: "REQUIRE" } };
const preferring = { mtls: { mode: "STRICT", postQuantum: "PREFER" } };
const agreements: readonly [title: string, objects: readonly WorldObject[], expected: boolean][] = [
  ["nobody where no object says so", [policy("app/default", strict)], false],
  ["the namespace that says so", [policy("app/default", requiring)], true],
  ["everybody where the mesh says so", [policy("signet-system/default", requiring)], true],
  [
    "also who leaves it open nearer by",
    [policy("signet-system/default", requiring), policy("app/default", permissive)],
    true,
  ],
  [
    "not who says otherwise nearer by",
    [policy("signet-system/default", requiring), policy("app/default", preferring)],
    false,
  ],
  ["not another namespace", [policy("other/default", requiring)], false],
];
for (const [title, objects, expected] of agreements) {
  test(`decide demands post-quantum keys of ${title}`, (t) => {
    t.is(policiesOf(...objects).decide(web).requiresPostQuantum, expected);
  });
}

test("refuse demands post-quantum keys, too, of whom nobody knows what is demanded", (t) => {
  const policies = policiesOf(policy("app/default", strict));
  policies.refuse("app/new", "?");
  t.true(policies.decide(web).requiresPostQuantum);
});

test("decide goes back to the wider object when the nearer one is deleted", (t) => {
  const nearer = policy("app/default", strict);
  const policies = policiesOf(nearer);
  t.is(policies.decide(web).mode, "strict");
  t.deepEqual(policies.delete(keyOfMeta(nearer.meta)), { kind: "namespace", namespace: "app" });
  t.is(policies.decide(web).mode, "permissive");
});

test("decide for a pod of signet-system takes the mesh's object", (t) => {
  const own = pod("signet-system/controller") as PodRecord;
  t.is(policiesOf(policy("signet-system/default", strict)).decide(own).mode, "strict");
});

const unreadable = (key: string): string => `PeerAuthentication ${key} (cannot be read)`;
const other = pod("other/db-1") as PodRecord;

test("refuse holds a whole namespace to STRICT while no version of its policy is known", (t) => {
  const policies = policiesOf(
    policy("app/default", permissive),
    policy("app/web", forWeb(disable)),
  );
  t.deepEqual(policies.refuse("app/new", "spec.mtls.mode: no"), {
    kind: "namespace",
    namespace: "app",
  });
  t.like(policies.decide(web), { mode: "strict", source: unreadable("app/new") });
  t.is(policies.decide(web).ports.size, 0);
  t.is(policies.decide(other).mode, "permissive", "another namespace is none of its business");
  t.deepEqual(policies.unreadable(), [
    { namespace: "app", name: "new", reason: "spec.mtls.mode: no" },
  ]);
});

test("refuse in signet-system holds everybody to STRICT for whom no nearer policy decides", (t) => {
  const exception = { portLevelMtls: { 9090: { mode: "PERMISSIVE" } } };
  const policies = policiesOf(
    policy("signet-system/default", permissive),
    policy("app/default", permissive),
    policy("open/default", exception),
  );
  t.deepEqual(policies.refuse("signet-system/new", "?"), { kind: "mesh" });
  t.like(policies.decide(other), { mode: "strict", source: unreadable("signet-system/new") });
  t.like(policies.decide(web), { mode: "permissive", source: "PeerAuthentication app/default" });
  const open = policies.decide(pod("open/a"));
  t.is(open.mode, "strict", "a mode that the nearer policy leaves open is the mesh's");
  t.deepEqual([...open.ports], [[9090, "permissive"]], "its ports would be its own in any case");
  t.is(policies.decide(pod("signet-system/a")).mode, "strict");
});

test("refuse leaves the last good version in force", (t) => {
  const policies = policiesOf(policy("app/default", permissive));
  t.is(policies.refuse("app/default", "?"), null);
  t.like(policies.decide(web), { mode: "permissive", source: "PeerAuthentication app/default" });
  t.deepEqual(policies.unreadable(), []);
});

test("refuse ends when the policy can be read, and when it is deleted", (t) => {
  const policies = policiesOf();
  policies.refuse("app/a", "?");
  policies.refuse("app/b", "?");
  t.is(policies.decide(web).source, unreadable("app/a"));
  policies.apply(policy("app/a", disable) as PeerAuthenticationRecord);
  t.is(policies.decide(web).source, unreadable("app/b"), "one of two is still unreadable");
  t.deepEqual(policies.delete("app/b"), { kind: "namespace", namespace: "app" });
  t.is(policies.decide(web).mode, "disable");
  t.deepEqual(policies.unreadable(), []);
});

test("refuse holds again what was deleted and comes back unreadable", (t) => {
  const policies = policiesOf(policy("app/default", permissive));
  policies.delete("app/default");
  policies.refuse("app/default", "?");
  t.is(policies.decide(web).mode, "strict");
});

const foreignOf = (...objects: readonly WorldObject[]): readonly string[] =>
  [...policiesOf(...objects).decide(web).foreignCallers].sort();
const naming = (...foreignCallers: readonly string[]) => ({ foreignCallers });

test("foreign callers are those of the nearest policy that says so, and nobody without one", (t) => {
  const one = "spiffe://partner.mesh/ns/a/sa/a";
  const other = "spiffe://other.mesh";
  t.deepEqual(foreignOf(), []);
  t.deepEqual(foreignOf(policy("app/default", strict)), []);
  const mesh = policy("signet-system/default", naming(other));
  t.deepEqual(foreignOf(mesh), [other]);
  t.deepEqual(foreignOf(mesh, policy("app/default", strict)), [other], "left open");
  t.deepEqual(foreignOf(mesh, policy("app/default", naming(one))), [one], "instead, not besides");
  t.deepEqual(foreignOf(mesh, policy("app/default", naming())), [], "nobody");
  t.deepEqual(foreignOf(mesh, policy("other/default", naming(one))), [other]);
  const nearest = policy("app/web", forWeb({ ...strict, ...naming(one) }));
  t.deepEqual(foreignOf(mesh, policy("app/default", naming()), nearest), [one]);
});

test("a policy that cannot be read admits nobody of another trust domain", (t) => {
  const policies = policiesOf(policy("signet-system/default", naming("spiffe://partner.mesh")));
  policies.refuse("app/default", "fault");
  t.deepEqual([...policies.decide(web).foreignCallers], []);
});
