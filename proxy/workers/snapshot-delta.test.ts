import test from "ava";
import { emptySnapshot } from "#/api/snapshot.ts";
import type { Snapshot } from "#/api/snapshot.ts";
import { applyDelta, isEmptyDelta, snapshotDelta } from "./snapshot-delta.ts";

const service = (name: string): never => ({ name, ports: [] }) as never;
const policy = {
  mode: "strict",
  ports: new Map([[80, "permissive"]]),
  requiresPostQuantum: false,
  foreignCallers: new Set<string>(),
  source: "test",
} as never;
const before: Snapshot = {
  ...emptySnapshot,
  services: new Map([
    ["a", service("a")],
    ["b", service("b")],
    ["c", service("c")],
  ]),
};
const after: Snapshot = {
  ...before,
  services: new Map([
    ["a", before.services.get("a")!],
    ["c", service("c2")],
    ["d", service("d")],
  ]),
  policy,
  suspended: new Set(["spiffe://cluster.local/ns/x/sa/x"]) as never,
  synced: true,
};

test("snapshotDelta tells what changed and no more", (t) => {
  const { services, ...rest } = snapshotDelta(before, after);
  t.deepEqual(
    services?.set.map(([name]) => name),
    ["c", "d"],
  );
  t.deepEqual(services?.removed, ["b"]);
  t.deepEqual(Object.keys(rest).sort(), ["policy", "suspended", "synced"]);
  t.true(isEmptyDelta(snapshotDelta(after, after)));
  t.true(isEmptyDelta(snapshotDelta(after, { ...after, versions: new Map(), jwtAuthorities: [] })));
});

test("applyDelta makes the same snapshot in another thread, and leaves what did not change as it was", (t) => {
  const there = applyDelta(emptySnapshot, structuredClone(snapshotDelta(emptySnapshot, before)));
  t.deepEqual(there, before);
  const then = applyDelta(there, structuredClone(snapshotDelta(before, after)));
  t.deepEqual(then, after);
  t.is(then.services.get("a"), there.services.get("a"));
  t.is(then.clusters, there.clusters);
  t.is(there.services.size, 3);
});

test("applyDelta takes back what is no more, down to nothing", (t) => {
  const back = applyDelta(after, snapshotDelta(after, { ...emptySnapshot, suspended: new Set() }));
  t.is(back.services.size, 0);
  t.is(back.policy, null);
  t.is(back.suspended?.size, 0);
});
