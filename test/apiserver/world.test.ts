// The watched world against a real API server: what it survives, and that it tells nothing twice.
import test from "ava";
import type { WorldEvent } from "#/cluster/events.ts";
import { openAccess } from "#/cluster/kubernetes/access.ts";
import { createKubernetesClient, silenceMsMax } from "#/cluster/kubernetes/client.ts";
import type { KubernetesClient } from "#/cluster/kubernetes/client.ts";
import { watchKubernetesWorld } from "#/cluster/kubernetes/world.ts";
import type { Clock } from "#/lib/clock.ts";
import { systemClock } from "#/lib/clock.ts";
import { ControlPlane } from "./control-plane.ts";
import { accountObject, laxPolicyResource, namespaceObject } from "./objects.ts";
import { podObject, policyObject, serviceObject } from "./objects.ts";
import { eventually } from "./eventually.ts";

let plane: ControlPlane;
test.before(async () => {
  plane = await ControlPlane.start();
  await plane.apply(
    namespaceObject("a"),
    accountObject("a", "one"),
    podObject("a", "pod", "one"),
    ...["s1", "s2", "s3"].map((name) => serviceObject("a", name)),
  );
});
test.after.always(() => plane?.[Symbol.asyncDispose]());

const say = (event: WorldEvent): string => {
  switch (event.type) {
    case "applied":
      return `+${event.object.kind} ${event.object.meta.name}`;
    case "deleted":
      return `-${event.kind} ${event.key}`;
    case "invalid":
      return `!${event.error.key}`;
    default:
      return event.type;
  }
};

const services = "/api/v1/services";

class Watched implements AsyncDisposable {
  events: string[] = [];
  /** Paths that were listed. */
  readonly lists: string[] = [];
  readonly #stack = new AsyncDisposableStack();

  static async start(kubeconfig: string, clock: Clock = systemClock): Promise<Watched> {
    const watched = new Watched();
    const access = await openAccess({ kind: "kubeconfig", file: kubeconfig }, clock);
    const real = createKubernetesClient(access, clock);
    const client: KubernetesClient = {
      call(request) {
        watched.lists.push(request.path);
        return real.call(request);
      },
      stream: (request, handlers) => real.stream(request, handlers),
      close: () => real.close(),
    };
    watched.#stack.defer(() => client.close());
    const random = Math.random;
    const onEvent = (event: WorldEvent): void => void watched.events.push(say(event));
    watched.#stack.use(watchKubernetesWorld({ client, clock, random, onEvent }));
    await watched.until("synced");
    return watched;
  }

  async until(event: string, timeoutMs = 40_000): Promise<void> {
    await eventually(
      () => this.events.includes(event),
      timeoutMs,
      () => this.events.join(", "),
    );
  }

  /** What was said since. */
  take(): string[] {
    const taken = this.events;
    this.lists.length = 0;
    this.events = [];
    return taken;
  }

  /** What objects came and went, in no order. */
  changes(): string[] {
    return this.take()
      .filter((event) => /^[+\-!]/.test(event))
      .toSorted();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

test.serial(
  "the world is listed without our resources, which are found once installed",
  async (t) => {
    await using watched = await Watched.start(plane.kubeconfig);
    const listed = watched.take();
    for (const wanted of ["+Pod pod", "+Service s1", "+ServiceAccount one", "+Namespace a"]) {
      t.true(listed.includes(wanted), wanted);
    }
    await plane.apply(laxPolicyResource);
    await plane.established("peerauthentications.signet.dev");
    await plane.apply(policyObject("a", "STRICT"));
    await watched.until("+PeerAuthentication default", 25_000);
    await plane.apply(policyObject("a", "NONE"));
    await watched.until("!a/default");
    await plane.apply(policyObject("a", "STRICT"));
  },
);

test.serial("the world follows changes", async (t) => {
  await using watched = await Watched.start(plane.kubeconfig);
  watched.take();
  await plane.apply(serviceObject("a", "s4"));
  await watched.until("+Service s4");
  await plane.kubectl("delete", "-n", "a", "service", "s4");
  await watched.until("-Service a/s4");
  t.deepEqual(watched.changes(), ["+Service s4", "-Service a/s4"]);
});

test.serial("a restart of the API server costs no event", async (t) => {
  await using watched = await Watched.start(plane.kubeconfig);
  watched.take();
  await plane.killServer();
  await watched.until("disconnected");
  await plane.startServer();
  await watched.until("synced");
  t.deepEqual(watched.changes(), []);
  await plane.apply(serviceObject("a", "s5"));
  await watched.until("+Service s5");
  await plane.kubectl("delete", "-n", "a", "service", "s5");
  await watched.until("-Service a/s5");
});

test.serial("dropped connections are made again and tell only what changed", async (t) => {
  await using relay = await plane.relay();
  await using watched = await Watched.start(relay.kubeconfig);
  watched.take();
  relay.cut();
  await watched.until("disconnected");
  await plane.apply(serviceObject("a", "s6"));
  await plane.kubectl("delete", "-n", "a", "service", "s6");
  await plane.apply(serviceObject("a", "s7"));
  relay.open();
  await watched.until("+Service s7");
  await watched.until("synced");
  t.deepEqual(
    watched.lists.filter((path) => path === services),
    [],
    "it is not listed anew",
  );
  // From the last version: also what came and went meanwhile.
  t.deepEqual(watched.changes(), ["+Service s6", "+Service s7", "-Service a/s6"]);
});

test.serial(
  "a version that is no longer kept (410) is answered with the difference alone",
  async (t) => {
    await using relay = await plane.relay();
    await using watched = await Watched.start(relay.kubeconfig);
    watched.take();
    relay.cut();
    await watched.until("disconnected");
    await plane.kubectl("delete", "-n", "a", "service", "s7");
    await plane.apply(serviceObject("a", "s8"));
    await plane.kubectl("label", "-n", "a", "service", "s1", "changed=yes");
    await plane.compact();
    await plane.killServer();
    await plane.startServer();
    relay.open();
    await watched.until("-Service a/s7");
    await watched.until("synced");
    t.true(watched.lists.includes(services), "it was listed anew");
    t.deepEqual(watched.changes(), ["+Service s1", "+Service s8", "-Service a/s7"]);
  },
);

test.serial("a network that swallows everything is noticed by its silence", async (t) => {
  // Two minutes of silence pass in three seconds.
  const clock: Clock = {
    ...systemClock,
    after: (delayMs, callback) =>
      systemClock.after(delayMs === silenceMsMax ? 3_000 : delayMs, callback),
  };
  await using relay = await plane.relay();
  await using watched = await Watched.start(relay.kubeconfig, clock);
  watched.take();
  relay.silence();
  await plane.apply(serviceObject("a", "s9"));
  await watched.until("+Service s9");
  t.deepEqual(watched.changes(), ["+Service s9"]);
});

test.serial("a slow start is waited for", async (t) => {
  await plane.killServer();
  const starting = Watched.start(plane.kubeconfig);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await plane.startServer();
  await using watched = await starting;
  t.true(watched.events.indexOf("disconnected") < watched.events.indexOf("synced"));
});

test.serial("a list of more than one page is told whole", async (t) => {
  const names = Array.from({ length: 1_100 }, (_, index) => `n${index}`);
  await plane.apply(...names.map((name) => accountObject("a", name)));
  await using watched = await Watched.start(plane.kubeconfig);
  const listed = new Set(watched.take());
  t.deepEqual(
    names.filter((name) => !listed.has(`+ServiceAccount ${name}`)),
    [],
  );
});
