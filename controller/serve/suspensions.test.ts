import test from "ava";
import type { Update } from "#/api/discovery.ts";
import type { RpcError } from "#/api/rpc-error.ts";
import { until } from "#/test/kit/controller-server.ts";
import { Sidecar, caller, hello, identity, startController } from "#/test/kit/discovery-site.ts";
import { applied, deleted, pod, suspension } from "#/test/kit/objects.ts";
import { suspensionsKey } from "./discovery.ts";
import { suspensionRoutes } from "./suspensions.ts";

test("discovery: a suspension reaches everybody, the suspended one last of all", async (t) => {
  const other = pod("other/caller", { address: "127.0.0.1", account: "sa" });
  await using controller = await startController(caller, other);
  const otherId = "spiffe://cluster.local/ns/other/sa/sa";
  const connection = await controller.connect();
  const suspended = new Sidecar(connection);
  const bystander = new Sidecar(await controller.connect(otherId), {
    hello: { podNamespace: "other" },
  });
  await Promise.all([suspended.synced(), bystander.synced()]);
  t.deepEqual(bystander.snapshot.suspended, new Set());
  const object = suspension("one", identity);
  controller.change(applied(object));
  t.deepEqual(controller.hub.holders(suspensionsKey), [], "nobody has said that they know");
  await until(() => suspended.ended !== null && bystander.updates.length === 2);
  t.is(suspended.ended?.code, "permission_denied");
  for (const { snapshot } of [suspended, bystander]) {
    t.deepEqual([...(snapshot.suspended ?? [])], [identity]);
  }
  await until(() => controller.hub.holders(suspensionsKey).length === 1);
  t.deepEqual(controller.hub.holders(suspensionsKey), ["other/caller"]);
  const again = new Sidecar(connection, { from: suspended.snapshot });
  await until(() => again.ended !== null);
  t.is(again.ended?.code, "permission_denied");
  t.deepEqual(again.updates, [], "and hears nothing more");
  controller.change(deleted(object));
  const resumed = new Sidecar(connection, { from: { ...suspended.snapshot, synced: false } });
  await resumed.synced();
  t.deepEqual(resumed.snapshot.suspended, new Set());
});

test("discovery: a suspended sidecar that does not say that it knows is left in a second", async (t) => {
  await using controller = await startController(caller);
  let ended: RpcError | null = null;
  const updates: Update[] = [];
  const subscription = (await controller.connect()).subscribe(hello, {
    onUpdate: (update) => void updates.push(update),
    onEnd: (error) => (ended = error),
  });
  await until(() => updates.length === 1);
  subscription.ack(1);
  const before = performance.now();
  controller.change(applied(suspension("one", identity)));
  await until(() => ended !== null);
  t.true(performance.now() - before > 900);
  t.is(updates.length, 2);
});

test("suspensions are told by the read API, with the sidecars that know", async (t) => {
  await using controller = await startController(caller, suspension("one", "spiffe://a/b"));
  const sidecar = new Sidecar(await controller.connect());
  await sidecar.synced();
  await until(() => controller.hub.holders(suspensionsKey).length === 1);
  const { mesh, hub } = controller;
  const route = suspensionRoutes({ mesh, hub, pod: "signet-controller-0" })["/v1/suspensions"]!;
  const { body } = await route(new URL("http://x/v1/suspensions"));
  t.deepEqual(JSON.parse(String(body)), {
    pod: "signet-controller-0",
    suspensions: [
      {
        name: "one",
        identity: "spiffe://a/b",
        reason: "a test",
        since: "1970-01-01T00:00:01.000Z",
      },
    ],
    told: ["app/caller"],
  });
  t.is((await route(new URL("http://x/v1/suspensions?pod=a"))).status, 400);
});
