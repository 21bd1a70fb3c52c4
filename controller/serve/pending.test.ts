import test from "ava";
import * as fc from "fast-check";
import type { Resource, ResourceKey, Update } from "#/api/discovery.ts";
import { keyOf } from "#/api/discovery.ts";
import { Pending, updateBytesTarget, updateEntriesMax } from "./pending.ts";

const cluster = (name: string, version = "1", pod = ""): Resource => ({
  kind: "cluster",
  name,
  version,
  cluster: {
    name,
    protocol: "tcp",
    endpoints: [{ address: "10.0.0.1", port: 1, identity: null, pod }],
  },
});
const service = (name: string, version = "1"): Resource => ({
  kind: "service",
  name,
  version,
  service: { name, addresses: [], hosts: [], ports: [] },
});

class World {
  readonly resources = new Map<string, Resource>();

  put(...resources: readonly Resource[]): this {
    for (const resource of resources) this.resources.set(keyOf(resource), resource);
    return this;
  }

  pending(held: ConstructorParameters<typeof Pending>[1] = []): Pending {
    const pending = new Pending((key) => this.resources.get(keyOf(key)), held);
    for (const { kind, name } of this.resources.values()) pending.mark({ kind, name });
    return pending;
  }
}

const show = (update: Update | null): readonly string[] | null =>
  update === null
    ? null
    : [
        ...update.upserts.map(({ kind, name, version }) => `+${kind}|${name}@${version}`),
        ...update.removals.map((key) => `-${keyOf(key)}`),
        ...(update.synced ? ["synced"] : []),
      ];

test("next sends everything first, what is pointed to before what points to it", (t) => {
  const pending = new World().put(service("s"), cluster("c")).pending();
  t.deepEqual(show(pending.next()), ["+cluster|c@1", "+service|s@1", "synced"]);
});

test("next sends only what differs from what is held, and removes what is gone", (t) => {
  const pending = new World().put(service("s", "2"), cluster("c"), cluster("new")).pending([
    { kind: "service", name: "s", version: "1" },
    { kind: "cluster", name: "c", version: "1" },
    { kind: "cluster", name: "gone", version: "1" },
    { kind: "service", name: "gone", version: "1" },
  ]);
  t.deepEqual(show(pending.next()), [
    "+cluster|new@1",
    "+service|s@2",
    "-service|gone",
    "-cluster|gone",
    "synced",
  ]);
});

test("next says synced even when nothing differs", (t) => {
  const pending = new World()
    .put(cluster("c"))
    .pending([{ kind: "cluster", name: "c", version: "1" }]);
  t.deepEqual(show(pending.next()), ["synced"]);
  t.is(pending.ack(1).kind, "applied");
  t.is(pending.next(), null);
  t.true(pending.isSynced);
});

test("next keeps one update in flight and joins what changes meanwhile", (t) => {
  const world = new World().put(cluster("c"));
  const pending = world.pending();
  t.deepEqual(show(pending.next()), ["+cluster|c@1", "synced"]);
  for (const version of ["2", "3"]) {
    world.put(cluster("c", version));
    pending.mark({ kind: "cluster", name: "c" });
    t.is(pending.next(), null);
  }
  pending.ack(1);
  t.deepEqual(show(pending.next()), ["+cluster|c@3"]);
});

test("next sends nothing for a change that went back", (t) => {
  const world = new World().put(cluster("c"));
  const pending = world.pending();
  pending.next();
  pending.ack(1);
  pending.mark({ kind: "cluster", name: "c" });
  t.is(pending.next(), null);
});

test("next cuts a large state into updates and says synced with the last", (t) => {
  const world = new World();
  const big = "x".repeat(updateBytesTarget / 4);
  for (const name of ["a", "b", "c", "d", "e"]) world.put(cluster(name, "1", big));
  const pending = world.pending();
  const sizes: number[] = [];
  for (let update = pending.next(); update !== null; update = pending.next()) {
    sizes.push(update.upserts.length);
    t.is(update.synced, sizes.reduce((sum, size) => sum + size, 0) === 5);
    pending.ack(update.sequence);
  }
  t.deepEqual(sizes, [3, 2]);
});

test("next puts no more entries into an update than the limit", (t) => {
  const world = new World();
  for (let index = 0; index <= updateEntriesMax; index += 1) world.put(service(`n/s${index}`));
  const pending = world.pending();
  t.is(pending.next()?.upserts.length, updateEntriesMax);
  pending.ack(1);
  t.is(pending.next()?.upserts.length, 1);
});

test("next sends a resource above the target alone", (t) => {
  const big = "x".repeat(updateBytesTarget * 2);
  const pending = new World().put(cluster("a", "1", big), cluster("b")).pending();
  t.deepEqual(
    pending.next()?.upserts.map(({ name }) => name),
    ["a"],
  );
});

test("nack of one resource keeps it back until it changes", (t) => {
  const world = new World().put(cluster("c"));
  const pending = world.pending();
  pending.next();
  t.deepEqual(pending.nack(1), { kind: "refused", key: { kind: "cluster", name: "c" } });
  t.deepEqual(pending.refusedKeys, ["cluster|c"]);
  pending.mark({ kind: "cluster", name: "c" });
  t.deepEqual(show(pending.next()), ["synced"]);
  pending.ack(2);
  world.put(cluster("c", "2"));
  pending.mark({ kind: "cluster", name: "c" });
  t.deepEqual(show(pending.next()), ["+cluster|c@2"]);
  pending.ack(3);
  t.deepEqual(pending.refusedKeys, []);
});

test("nack of many halves them until the one at fault stands alone, and all others arrive", (t) => {
  const names = Array.from({ length: 20 }, (_, index) => `c${index}`);
  const world = new World().put(...names.map((name) => cluster(name)));
  const pending = world.pending();
  const has = new Set<string>();
  let updates = 0;
  for (let update = pending.next(); update !== null; update = pending.next()) {
    updates += 1;
    const isBad = update.upserts.some(({ name }) => name === "c7");
    if (isBad) pending.nack(update.sequence);
    else {
      for (const { name } of update.upserts) has.add(name);
      pending.ack(update.sequence);
    }
  }
  t.deepEqual([...has].sort(), names.filter((name) => name !== "c7").sort());
  t.deepEqual(pending.refusedKeys, ["cluster|c7"]);
  t.true(updates < 45, `${updates} updates`);
});

test("nack of an update without entries is final", (t) => {
  const pending = new World().pending();
  t.deepEqual(show(pending.next()), ["synced"]);
  t.deepEqual(pending.nack(1), { kind: "refused", key: null });
});

for (const sequence of [0, 2, -1]) {
  test(`ack and nack of ${sequence} are unexpected while 1 is in flight`, (t) => {
    const pending = new World().put(cluster("c")).pending();
    pending.next();
    t.is(pending.ack(sequence).kind, "unexpected");
    t.is(pending.nack(sequence).kind, "unexpected");
  });
}

test("a subscriber ends with what there is, whatever it refuses for a while", (t) => {
  const key = fc
    .constantFrom("a", "b", "c")
    .map((name): ResourceKey => ({ kind: "cluster", name }));
  const step = fc.record({
    key,
    version: fc.option(fc.constantFrom("1", "2", "3")),
    refuses: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const world = new World();
      const pending = world.pending();
      const has = new Map<string, string>();
      const settle = (update: Update, refuses: boolean): void => {
        if (refuses) return void pending.nack(update.sequence);
        for (const each of update.upserts) has.set(keyOf(each), each.version);
        for (const each of update.removals) has.delete(keyOf(each));
        pending.ack(update.sequence);
      };
      for (const { key, version, refuses } of steps) {
        if (version === null) world.resources.delete(keyOf(key));
        else world.put(cluster(key.name, version));
        pending.mark(key);
        const update = pending.next();
        if (update !== null) settle(update, refuses);
      }
      for (const name of ["a", "b", "c"]) {
        world.put(cluster(name, "last"));
        pending.mark({ kind: "cluster", name });
      }
      for (let update = pending.next(); update !== null; update = pending.next()) {
        settle(update, false);
      }
      t.deepEqual([...has.values()], ["last", "last", "last"]);
    }),
  );
});

test("what is awaited is not taken from whoever has it, and goes when it is known to be gone", (t) => {
  const key: ResourceKey = { kind: "federatedBundle", name: "partner.mesh" };
  let present: "awaited" | undefined = "awaited";
  const pending = new Pending(() => present, [{ ...key, version: "1" }]);
  t.deepEqual(show(pending.next()), ["synced"]);
  pending.ack(1);
  pending.mark(key);
  t.is(pending.next(), null);
  present = undefined;
  pending.mark(key);
  t.deepEqual(show(pending.next()), ["-federatedBundle|partner.mesh"]);
});
