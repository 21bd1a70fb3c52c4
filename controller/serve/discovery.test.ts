import test from "ava";
import type { Hello, Update } from "#/api/discovery.ts";
import type { RpcError } from "#/api/rpc-error.ts";
import type { SubscriberStream, Subscription } from "#/api/rpc.ts";
import { silentLog } from "#/lib/log.ts";
import { Registry } from "#/lib/metrics.ts";
import { trustDomain, until } from "#/test/kit/controller-server.ts";
import { Controller, Sidecar, caller, hello } from "#/test/kit/discovery-site.ts";
import { identity, startController } from "#/test/kit/discovery-site.ts";
import { applied, deleted, pod, policy, service, slice } from "#/test/kit/objects.ts";
import type { Mesh } from "../index/mesh.ts";
import { declareMetrics } from "../metrics.ts";
import { DiscoveryHub, streamsPerPodMax } from "./discovery.ts";

test("discovery: hello, the whole state, a change, a delta, and a reconnect that sends differences", async (t) => {
  const web = [service("app/web"), pod("app/one", { address: "10.1.0.1" })];
  await using controller = await startController(
    caller,
    ...web,
    slice("app/s", "web", ["10.1.0.1@one"]),
  );
  const connection = await controller.connect();
  const first = new Sidecar(connection);
  await first.synced();
  t.deepEqual(first.updates, [
    [
      "+trustBundle|",
      "+suspensions|",
      "+serverPolicy|",
      "+cluster|unresolved",
      "+cluster|app/web:80",
      "+service|app/web",
    ],
  ]);
  t.is(first.snapshot.clusters.get("app/web:80")?.endpoints[0]?.address, "10.1.0.1");

  controller.change(applied(slice("app/s", "web", ["!10.1.0.1@one"])));
  await until(() => first.updates.length === 2);
  t.deepEqual(first.updates[1], ["+cluster|app/web:80"]);
  t.is(first.snapshot.clusters.get("app/web:80")?.endpoints.length, 0);
  first.close();

  controller.change(applied(service("app/new")), deleted(service("app/web")));
  const second = new Sidecar(connection, { from: { ...first.snapshot, synced: false } });
  await second.synced();
  t.deepEqual(second.updates, [
    ["+cluster|app/new:80", "+service|app/new", "-service|app/web", "-cluster|app/web:80"],
  ]);
});

test("discovery: a controller that starts again sends nothing that the sidecar has", async (t) => {
  const objects = [caller, service("app/web"), policy("app/default", { mtls: { mode: "STRICT" } })];
  await using before = await startController(...objects);
  const first = new Sidecar(await before.connect());
  await first.synced();
  await using again = await startController(...objects);
  const second = new Sidecar(await again.connect(), { from: { ...first.snapshot, synced: false } });
  await second.synced();
  t.deepEqual(second.updates, [[]]);
  t.deepEqual(second.snapshot.versions, first.snapshot.versions);
});

test("discovery: before the world is listed nobody is told that it is empty", async (t) => {
  await using controller = await new Controller().serve();
  controller.mesh.apply(applied(caller));
  controller.mesh.flush();
  const sidecar = new Sidecar(await controller.connect());
  await until(() => sidecar.ended !== null);
  t.is(sidecar.ended?.code, "unavailable");
  t.deepEqual(sidecar.updates, []);
});

test("discovery: a policy reaches exactly the pods that it is for, at once", async (t) => {
  const other = pod("other/caller", { address: "127.0.0.1", account: "sa" });
  await using controller = await startController(caller, other);
  const one = new Sidecar(await controller.connect());
  const two = new Sidecar(await controller.connect("spiffe://cluster.local/ns/other/sa/sa"), {
    hello: { podNamespace: "other" },
  });
  await Promise.all([one.synced(), two.synced()]);
  t.is(one.snapshot.policy?.mode, "permissive");
  controller.change(applied(policy("app/default", { mtls: { mode: "STRICT" } })));
  await until(() => one.snapshot.policy?.mode === "strict");
  t.is(one.snapshot.policy?.source, "PeerAuthentication app/default");
  controller.change(applied(policy("signet-system/default", { mtls: { mode: "DISABLE" } })));
  await until(() => two.snapshot.policy?.mode === "disable");
  t.is(one.updates.length, 2);
  t.is(two.updates.length, 2);
});

test("discovery: changes that come while one update is in flight are joined", async (t) => {
  await using controller = await startController(caller);
  const connection = await controller.connect();
  const updates: Update[] = [];
  const subscription = connection.subscribe(hello, {
    onUpdate: (update) => void updates.push(update),
    onEnd() {},
  });
  await until(() => updates.length === 1);
  for (const name of ["a", "b", "c"]) controller.change(applied(service(`app/${name}`)));
  controller.change(deleted(service("app/b")));
  subscription.ack(1);
  await until(() => updates.length === 2);
  t.deepEqual(
    updates[1]?.upserts.map(({ kind, name }) => `${kind}|${name}`),
    ["cluster|app/a:80", "cluster|app/c:80", "service|app/a", "service|app/c"],
  );
});

test("discovery: a refused resource is counted and kept back, the others arrive and life goes on", async (t) => {
  await using controller = await startController(caller, service("app/good"), service("app/bad"));
  const sidecar = new Sidecar(await controller.connect(), {
    refuse: (update) =>
      update.upserts.some(({ name, version }) => name === "app/bad" && version !== ""),
  });
  await sidecar.synced();
  t.true(sidecar.snapshot.services.has("app/good"));
  t.false(sidecar.snapshot.services.has("app/bad"));
  t.like(controller.hub.views()[0], {
    pod: "app/caller",
    refused: ["service|app/bad"],
    lastRefusal: "it does not please",
  });
  t.regex(
    controller.registry.expose(),
    /signet_controller_refused_resources_total\{kind="service"\} 1/,
  );
  controller.change(applied(service("app/later")));
  await until(() => sidecar.snapshot.services.has("app/later"));
});

const strangers: readonly [title: string, id: string, change: Partial<Hello>][] = [
  ["another service account", "spiffe://cluster.local/ns/app/sa/other", {}],
  ["another namespace", "spiffe://cluster.local/ns/other/sa/sa", {}],
  ["a pod that is not known", identity, { podName: "nobody" }],
  ["a pod of another name's UID (attack case 9)", identity, { podUid: "stale" }],
  [
    "a pod at another address (attack case 10)",
    identity,
    { podName: "remote", podUid: "uid-of-remote" },
  ],
  ["a pod that has ended", identity, { podName: "ended", podUid: "uid-of-ended" }],
  ["a pod by a path", identity, { podNamespace: "app/caller", podName: "" }],
];
for (const [title, id, change] of strangers) {
  test(`discovery refuses to speak to ${title}`, async (t) => {
    await using controller = await startController(
      caller,
      pod("app/remote", { address: "10.1.0.9", account: "sa" }),
      pod("app/ended", { address: "127.0.0.1", account: "sa", phase: "Succeeded" }),
    );
    const sidecar = new Sidecar(await controller.connect(id), { hello: change });
    await until(() => sidecar.ended !== null);
    t.is(sidecar.ended?.code, "permission_denied");
    t.deepEqual(sidecar.updates, []);
    t.deepEqual(controller.hub.views(), []);
  });
}

const leases: readonly [string, Parameters<Mesh["apply"]>[0]][] = [
  ["goes", deleted(caller)],
  ["is replaced", applied(pod("app/caller", { address: "127.0.0.1", account: "sa", uid: "new" }))],
  ["moves", applied(pod("app/caller", { address: "10.1.0.5", account: "sa" }))],
  ["changes its account", applied(pod("app/caller", { address: "127.0.0.1", account: "other" }))],
];
for (const [title, event] of leases) {
  test(`discovery ends the stream of a pod that ${title}`, async (t) => {
    await using controller = await startController(caller);
    const sidecar = new Sidecar(await controller.connect());
    await sidecar.synced();
    controller.change(event);
    await until(() => sidecar.ended !== null);
    t.is(sidecar.ended?.code, "permission_denied");
    t.deepEqual(controller.hub.views(), []);
  });
}

const violations: readonly [title: string, act: (subscription: Subscription) => void][] = [
  ["an ack of what was not sent", (subscription) => subscription.ack(7)],
  ["a nack of what was not sent", (subscription) => subscription.nack(7, "")],
  [
    "an ack twice",
    (subscription) => {
      subscription.ack(1);
      subscription.ack(1);
    },
  ],
];
for (const [title, act] of violations) {
  test(`discovery ends a stream with ${title}`, async (t) => {
    await using controller = await startController(caller);
    const connection = await controller.connect();
    const error = await new Promise<RpcError>((resolve) => {
      const subscription = connection.subscribe(hello, {
        onUpdate: () => act(subscription),
        onEnd: resolve,
      });
    });
    t.is(error.code, "invalid_argument");
    connection.close();
  });
}

test("discovery lets the oldest of too many streams of one pod go", async (t) => {
  await using controller = await startController(caller);
  const connection = await controller.connect();
  const sidecars: Sidecar[] = [];
  for (let index = 0; index <= streamsPerPodMax; index += 1) {
    const sidecar = new Sidecar(connection);
    sidecars.push(sidecar);
    await sidecar.synced();
  }
  await until(() => sidecars[0]?.ended !== null);
  t.is(sidecars[0]?.ended?.code, "resource_exhausted");
  t.is(controller.hub.views().length, streamsPerPodMax);
});

/** A stream without a network, and a clock that is turned by hand. */
function silentStream() {
  const timers: { delayMs: number; callback: () => void }[] = [];
  const controller = new Controller();
  controller.mesh.setBundle({ trustDomain, roots: [new Uint8Array([1])] });
  controller.mesh.apply(applied(caller));
  controller.mesh.apply({ type: "synced" });
  controller.mesh.flush();
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    after(delayMs: number, callback: () => void) {
      const timer = { delayMs, callback };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
  };
  const metrics = declareMetrics(new Registry());
  const hub = new DiscoveryHub({ mesh: controller.mesh, clock, log: silentLog, metrics });
  const ended: string[] = [];
  const peer = {
    address: "::ffff:127.0.0.1",
    port: 1,
    identity: null,
    serial: null,
    authorities: [],
  };
  const stream: SubscriberStream = {
    peer,
    identity: identity as SubscriberStream["identity"],
    send() {},
    end: (error) => void ended.push(error.code),
  };
  return { timers, ended, handlers: hub.subscribe(stream) };
}

test("discovery waits for a hello no longer than its limit", (t) => {
  const { timers, ended } = silentStream();
  t.is(timers.length, 1);
  timers[0]?.callback();
  t.deepEqual(ended, ["deadline_exceeded"]);
});

test("discovery waits for an answer no longer than its limit", (t) => {
  const { timers, ended, handlers } = silentStream();
  handlers.onMessage({ kind: "hello", ...hello });
  t.deepEqual(
    timers.map(({ delayMs }) => delayMs),
    [30_000],
  );
  timers[0]?.callback();
  t.deepEqual(ended, ["deadline_exceeded"]);
});

test("discovery leaves no timer behind when a stream ends, and none while nothing is in flight", (t) => {
  const { timers, handlers } = silentStream();
  handlers.onMessage({ kind: "hello", ...hello });
  handlers.onMessage({ kind: "ack", sequence: 1 });
  t.deepEqual(timers, []);
  handlers.onEnd();
  t.deepEqual(timers, []);
});

test("discovery refuses a second hello, and an answer before the first", (t) => {
  const early = silentStream().handlers;
  t.throws(() => early.onMessage({ kind: "ack", sequence: 1 }), { message: /no hello yet/ });
  const { handlers } = silentStream();
  handlers.onMessage({ kind: "hello", ...hello });
  t.throws(() => handlers.onMessage({ kind: "hello", ...hello }), { message: /second hello/ });
});
