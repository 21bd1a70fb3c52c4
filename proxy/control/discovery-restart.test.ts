import test from "ava";
import type { Hello, Update } from "#/api/discovery.ts";
import type { Svid } from "#/identity/svid.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import { connect, start, until, workload } from "#/test/kit/controller-server.ts";
import { bundle, policy, suspensions } from "#/test/kit/resources.ts";
import { DiscoveryWatch } from "./discovery-watch.ts";

const pod = { namespace: "app-a", name: "a", uid: "u" };

test("discovery over a real server survives the controller's restart with what it knew", async (t) => {
  const told: Update = {
    sequence: 1,
    upserts: [policy("strict"), suspensions, bundle],
    removals: [],
    synced: true,
  };
  const hellos: Hello[] = [];
  const serve = (port: number) =>
    start({
      port,
      subscribe: (stream) => ({
        onMessage(message) {
          if (message.kind !== "hello") return;
          hellos.push(message);
          stream.send(message.held.length === 0 ? told : { ...told, upserts: [] });
        },
        onEnd() {},
      }),
    });
  const before = await serve(0);
  const { port } = before.server;
  let now = before;
  const svid = new Watch<Svid | null>(await before.authority.issue(workload));
  const watch = new DiscoveryWatch({
    pod,
    svid,
    connect: (own) => connect(now, own),
    clock: systemClock,
    random: () => 0,
    log: silentLog,
  });
  await watch.connected.until((connected) => connected);
  const snapshot = await watch.snapshot.until(({ synced }) => synced);
  t.is(snapshot.policy?.mode, "strict");
  await before[Symbol.asyncDispose]();
  await watch.connected.until((connected) => !connected);
  t.is(watch.snapshot.get(), snapshot);
  await using after = await serve(port);
  now = after;
  svid.set(await after.authority.issue(workload));
  await watch.connected.until((connected) => connected);
  await until(() => hellos.length >= 2);
  t.is(hellos.at(-1)?.held.length, 3);
  t.is(watch.snapshot.get().policy?.mode, "strict");
  watch.stop();
});
