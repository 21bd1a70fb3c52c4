import test from "ava";
import type { KubernetesObject } from "./objects.ts";
import { Store } from "./store.ts";
import type { WorldEvent } from "./store.ts";

const now = Date.UTC(2030, 0, 1);

function object(name: string, spec: Record<string, unknown> = {}): KubernetesObject {
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace: "n" }, spec };
}

function watched(): { store: Store; events: WorldEvent[] } {
  const store = new Store(() => now);
  const events: WorldEvent[] = [];
  store.onEvent((event) => events.push(event));
  return { store, events };
}

test("Store gives a new object what an API server gives it", (t) => {
  const { store, events } = watched();
  const { metadata } = store.put(object("a"));
  t.regex(metadata.uid ?? "", /^[0-9a-f-]{36}$/);
  t.is(metadata.creationTimestamp, "2030-01-01T00:00:00.000Z");
  t.is(metadata.resourceVersion, "1");
  t.deepEqual(
    events.map(({ type }) => type),
    ["ADDED"],
  );
});

test("Store keeps the uid of what is changed, and counts its version on", (t) => {
  const { store, events } = watched();
  const first = store.put(object("a"));
  const second = store.put(object("a", { selector: { app: "a" } }));
  t.is(second.metadata.uid, first.metadata.uid);
  t.is(second.metadata.resourceVersion, "2");
  t.is(events[1]?.type, "MODIFIED");
});

test("Store tells nothing when nothing has changed", (t) => {
  const { store, events } = watched();
  const first = store.put(object("a", { x: 1 }));
  t.is(store.put(object("a", { x: 1 })), first);
  t.is(store.put({ ...first }), first);
  t.is(events.length, 1);
});

test("Store gives another uid to what was deleted and made again", (t) => {
  const { store, events } = watched();
  const first = store.put(object("a"));
  t.true(store.delete("Service/n/a"));
  t.false(store.delete("Service/n/a"));
  t.not(store.put(object("a")).metadata.uid, first.metadata.uid);
  t.deepEqual(
    events.map(({ type }) => type),
    ["ADDED", "DELETED", "ADDED"],
  );
});

test("Store tells one name in two namespaces and kinds apart", (t) => {
  const { store } = watched();
  store.put(object("a"));
  store.put({ ...object("a"), metadata: { name: "a", namespace: "m" } });
  store.put({ ...object("a"), kind: "Pod" });
  t.is(store.list("Service").length, 2);
  t.is(store.list().length, 3);
});

test("Store lets a listener change the store while it is told", (t) => {
  const store = new Store(() => now);
  const stop = store.onEvent((event) => {
    stop();
    if (event.object.metadata.name === "a") store.put(object("b"));
  });
  store.put(object("a"));
  t.is(store.list().length, 2);
});
