// The objects in force and what listeners hear of them.
import test from "ava";
import type { KubernetesObject } from "./objects.ts";
import { Store } from "./store.ts";
import type { WorldEvent } from "./store.ts";

const pod = (fields: Readonly<Record<string, unknown>> = {}): KubernetesObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "n" },
  ...fields,
});

function listening(now = 0): { store: Store; events: WorldEvent[]; turn: (to: number) => void } {
  let time = now;
  const store = new Store(() => time);
  const events: WorldEvent[] = [];
  store.onEvent((event) => void events.push(event));
  return { store, events, turn: (to) => void (time = to) };
}

test("put gives uid, time of creation and version; the first two stay, the last one grows", (t) => {
  const { store, events, turn } = listening(1000);
  const first = store.put(pod());
  turn(5000);
  const second = store.put(pod({ spec: { a: 1 } }));
  t.is(first.metadata.creationTimestamp, "1970-01-01T00:00:01.000Z");
  t.is(second.metadata.creationTimestamp, first.metadata.creationTimestamp);
  t.regex(first.metadata.uid ?? "", /^[0-9a-f-]{36}$/);
  t.is(second.metadata.uid, first.metadata.uid);
  t.true(Number(second.metadata.resourceVersion) > Number(first.metadata.resourceVersion));
  t.deepEqual(
    events.map(({ type }) => type),
    ["ADDED", "MODIFIED"],
  );
});

test("put of the same object tells nobody and changes nothing", (t) => {
  const { store, events } = listening();
  const first = store.put(pod({ spec: { list: [1, { a: "b" }] } }));
  t.is(store.put(pod({ spec: { list: [1, { a: "b" }] } })), first);
  t.is(store.put(first), first);
  t.is(events.length, 1);
});

test("put does not let an update take another uid", (t) => {
  const { store } = listening();
  const { uid } = store.put(pod()).metadata;
  const forged = pod({ metadata: { name: "p", namespace: "n", uid: "forged" }, spec: {} });
  t.is(store.put(forged).metadata.uid, uid);
});

test("an object made again after its deletion is another one", (t) => {
  const { store, events } = listening();
  const first = store.put(pod());
  t.true(store.delete("Pod/n/p"));
  t.false(store.delete("Pod/n/p"));
  t.is(store.get("Pod/n/p"), undefined);
  t.not(store.put(pod()).metadata.uid, first.metadata.uid);
  t.deepEqual(
    events.map(({ type }) => type),
    ["ADDED", "DELETED", "ADDED"],
  );
});

test("list takes one kind, or all in order of their creation", (t) => {
  const { store } = listening();
  store.put(pod());
  store.put({ apiVersion: "v1", kind: "Service", metadata: { name: "s", namespace: "n" } });
  t.deepEqual(
    store.list().map(({ kind }) => kind),
    ["Pod", "Service"],
  );
  t.is(store.list("Service").length, 1);
  t.is(store.list("pod").length, 0);
});

test("onEvent ends when it is told to, also from within an event", (t) => {
  const store = new Store(() => 0);
  let heard = 0;
  const stop = store.onEvent(() => {
    heard += 1;
    stop();
  });
  let others = 0;
  store.onEvent(() => void (others += 1));
  store.put(pod());
  store.delete("Pod/n/p");
  t.is(heard, 1);
  t.is(others, 2);
});
