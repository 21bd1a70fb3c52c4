import test from "ava";
import { DecodeError } from "#/cluster/decode-error.ts";
import type { PodRecord } from "#/cluster/events.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import type { LogFields } from "#/lib/log.ts";
import { silentLog } from "#/lib/log.ts";
import { Registry } from "#/lib/metrics.ts";
import { applied, deleted, pod, policy, service, suspension } from "#/test/kit/objects.ts";
import type { Delta } from "./index/mesh.ts";
import { Mesh } from "./index/mesh.ts";
import { declareMetrics } from "./metrics.ts";
import { WorldLoop } from "./world-loop.ts";

function createLoop() {
  const mesh = new Mesh(parseTrustDomain("cluster.local"));
  const registry = new Registry();
  const deltas: Delta[] = [];
  const timers: (() => void)[] = [];
  const warnings: (LogFields | undefined)[] = [];
  const errors: string[] = [];
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    after(_delayMs: number, callback: () => void) {
      timers.push(callback);
      return () => void timers.splice(timers.indexOf(callback), 1);
    },
  };
  const loop = new WorldLoop({
    mesh,
    publish: (delta) => void deltas.push(delta),
    clock,
    log: {
      ...silentLog,
      warn: (_message, fields) => void warnings.push(fields),
      error: (message) => void errors.push(message),
    },
    metrics: declareMetrics(registry),
  });
  const tick = (): void => {
    for (const callback of timers.splice(0)) callback();
  };
  return { mesh, registry, deltas, timers, warnings, errors, loop, tick };
}

test("WorldLoop compiles nothing before the world is listed", (t) => {
  const { loop, timers, mesh, deltas, tick } = createLoop();
  loop.onEvent(applied(service("app/a")));
  t.deepEqual(timers, []);
  t.false(mesh.isCompiled);
  loop.onEvent({ type: "synced" });
  t.false(mesh.isCompiled, "listed, and not compiled yet");
  tick();
  t.true(mesh.isCompiled);
  t.is(deltas.length, 1);
});

test("WorldLoop tells who was suspended and who was resumed, each once", (t) => {
  const { loop, warnings, tick } = createLoop();
  const identity = "spiffe://cluster.local/ns/app/sa/a";
  const object = suspension("one", identity);
  const feed = (...events: readonly Parameters<typeof loop.onEvent>[0][]): void => {
    for (const event of events) loop.onEvent(event);
    tick();
  };
  feed({ type: "synced" }, applied(object));
  feed(applied(suspension("two", identity)), applied(service("app/a")));
  feed(deleted(object));
  feed(deleted(suspension("two", identity)));
  t.deepEqual(warnings, [{ identity, reason: "a test", name: "one" }, { identity }]);
});

test("WorldLoop compiles a burst of events once", (t) => {
  const { loop, timers, deltas, tick } = createLoop();
  loop.onEvent({ type: "synced" });
  for (const name of ["a", "b", "c"]) loop.onEvent(applied(service(`app/${name}`)));
  t.is(timers.length, 1);
  tick();
  t.deepEqual(
    deltas.map(({ changed }) => changed.length),
    [6],
  );
  loop.onEvent(applied(service("app/d")));
  tick();
  t.is(deltas.length, 2);
});

test("WorldLoop counts and names what cannot be read, and tells whether the watch stands", (t) => {
  const { loop, registry, warnings } = createLoop();
  const gauge = (): string | undefined => /_world_connected (\d)$/m.exec(registry.expose())?.[1];
  t.is(gauge(), "0");
  loop.onEvent({ type: "synced" });
  t.is(gauge(), "1");
  const error = new DecodeError("object_invalid", "Pod", "app/a", "spec: missing");
  loop.onEvent({ type: "invalid", error });
  t.like(warnings[0], { kind: "Pod", key: "app/a" });
  loop.onEvent({ type: "disconnected", reason: "gone" });
  t.is(gauge(), "0");
  t.regex(registry.expose(), /world_events_total\{type="invalid"\} 1/);
});

test("WorldLoop fails closed for a policy that it never could read, and says so", (t) => {
  const { loop, mesh, deltas, warnings, errors, tick } = createLoop();
  const error = new DecodeError("object_invalid", "PeerAuthentication", "app/p", "spec: no");
  loop.onEvent({ type: "invalid", error });
  loop.onEvent({ type: "synced" });
  tick();
  t.deepEqual(deltas[0]?.policyNamespaces, new Set(["app"]));
  t.is(mesh.policyOf(pod("app/a") as PodRecord).policy.mode, "strict");
  t.regex(errors.join(), /held to STRICT/);
  loop.onEvent(applied(policy("app/p", { mtls: { mode: "PERMISSIVE" } })));
  loop.onEvent({ type: "invalid", error });
  tick();
  t.is(mesh.policyOf(pod("app/a") as PodRecord).policy.mode, "permissive");
  t.is(errors.length, 1);
  t.is(warnings.length, 1, "a last good version stays: no more than a warning");
  loop.onEvent({ type: "deleted", kind: "PeerAuthentication", key: "app/p" });
  loop.onEvent({ type: "invalid", error: new DecodeError("object_invalid", "", "", "any line") });
  t.is(mesh.policyOf(pod("app/a") as PodRecord).policy.source, "default");
});

test("WorldLoop leaves no timer behind", (t) => {
  const { loop, timers } = createLoop();
  loop.onEvent({ type: "synced" });
  loop[Symbol.dispose]();
  t.deepEqual(timers, []);
});
