import * as fc from "fast-check";
import test from "ava";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import type { Change } from "./reflection.ts";
import { Reflection } from "./reflection.ts";

const object = (name: string, version: number | string): object => ({
  metadata: { name, namespace: "n", resourceVersion: String(version) },
});
const list = (version: number, items: readonly unknown[] | null, next?: string): object => ({
  metadata: { resourceVersion: String(version), ...(next === undefined ? {} : { continue: next }) },
  items,
});
const say = (change: Change): string =>
  `${{ applied: "+", deleted: "-", refused: "!" }[change.type]}${change.key.slice(2)}`;

function relist(reflection: Reflection, ...pages: readonly object[]): readonly string[] {
  reflection.begin();
  const said = pages.flatMap((page) => reflection.page(page)?.changes ?? ["no list" as never]);
  return [...said, ...reflection.complete()].map(say);
}

function line(reflection: Reflection, type: string, ...of: [object?]): readonly string[] | string {
  const step = reflection.line({ type, object: of[0] });
  return step.kind === "changes" ? step.changes.map(say) : step.kind;
}

test("Reflection tells a list, then changes alone", (t) => {
  const reflection = new Reflection();
  t.deepEqual(relist(reflection, list(5, [object("a", 1), object("b", 2)])), ["+a", "+b"]);
  t.is(reflection.version, "5");
  t.deepEqual(line(reflection, "MODIFIED", object("a", 6)), ["+a"]);
  t.deepEqual(line(reflection, "ADDED", object("c", 7)), ["+c"]);
  t.deepEqual(line(reflection, "DELETED", object("b", 8)), ["-b"]);
  t.is(reflection.version, "8");
});

test("Reflection tells of a new list only the difference", (t) => {
  const reflection = new Reflection();
  relist(reflection, list(5, [object("a", 1), object("b", 2), object("c", 3)]));
  const again = list(9, [object("a", 1), object("b", 7)]);
  t.deepEqual(relist(reflection, again), ["+b", "-c"]);
});

test("Reflection goes on from a bookmark", (t) => {
  const reflection = new Reflection();
  relist(reflection, list(5, null));
  t.deepEqual(line(reflection, "BOOKMARK", { metadata: { resourceVersion: "77" } }), []);
  t.is(reflection.version, "77");
});

test("Reflection deletes nothing for a list that broke off, or that it could not read whole", (t) => {
  const reflection = new Reflection();
  relist(reflection, list(5, [object("a", 1), object("b", 2)]));
  reflection.begin();
  reflection.page(list(9, [object("a", 1)], "more"));
  t.deepEqual(relist(reflection, list(9, [object("a", 1), { metadata: {} }])), []);
  t.is(reflection.size, 2);
});

test("Reflection deletes what no page of a list names", (t) => {
  const reflection = new Reflection();
  relist(reflection, list(5, [object("a", 1), object("b", 2), object("c", 3)]));
  const pages = [list(9, [object("a", 1)], "more"), list(9, [object("c", 3)])];
  t.deepEqual(relist(reflection, ...pages), ["-b"]);
});

test("Reflection forgets everything when the kind is gone", (t) => {
  const reflection = new Reflection();
  relist(reflection, list(5, [object("a", 1)]));
  t.deepEqual(reflection.clear().map(say), ["-a"]);
  t.is(reflection.version, "");
});

test("Reflection refuses more objects than the limit, until one goes", (t) => {
  const reflection = new Reflection(1);
  t.deepEqual(relist(reflection, list(5, [object("a", 1), object("b", 2)])), ["+a", "!b"]);
  t.deepEqual(line(reflection, "MODIFIED", object("a", 6)), ["+a"]);
  t.deepEqual(line(reflection, "DELETED", object("a", 7)), ["-a"]);
  t.deepEqual(line(reflection, "MODIFIED", object("b", 8)), ["+b"]);
});

for (const gone of [{ code: 410 }, { reason: "Expired" }, { reason: "Gone" }]) {
  test(`Reflection takes an error with ${JSON.stringify(gone)} for an expired version`, (t) => {
    t.is(line(new Reflection(), "ERROR", gone), "expired");
  });
}

for (const bad of [
  null,
  1,
  [],
  {},
  { type: "ERROR" },
  { type: "ERROR", object: { code: 500, message: "no" } },
  { type: "ADDED" },
  { type: "ADDED", object: { metadata: { name: "" } } },
  { type: "DELETED", object: { metadata: null } },
  { type: "SYNCED", object: object("a", 1) },
]) {
  test(`Reflection fails on the line ${JSON.stringify(bad)}`, (t) => {
    t.is(new Reflection().line(bad).kind, "failed");
  });
}

for (const bad of [null, {}, { items: [] }, { metadata: {}, items: [] }, list(1, 7 as never)]) {
  test(`Reflection takes ${JSON.stringify(bad)} for no list`, (t) => {
    const reflection = new Reflection();
    reflection.begin();
    t.is(reflection.page(bad), null);
  });
}

type Deed =
  | { readonly kind: "put" | "delete"; readonly name: string }
  | { readonly kind: "bookmark" | "resume" | "compact" | "cut" };

const deeds: fc.Arbitrary<readonly Deed[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constantFrom("put", "delete"),
        name: fc.constantFrom("a", "b", "c", "d"),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constantFrom("bookmark", "resume", "compact", "cut") }),
    },
  ) as fc.Arbitrary<Deed>,
  { maxLength: 80 },
);

/** A store with a history, as etcd keeps it; told in order to whoever watches from a version. */
class Store {
  readonly objects = new Map<string, number>();
  history: { readonly version: number; readonly type: string; readonly name: string }[] = [];
  version = 1;
  compacted = 0;

  put(name: string): void {
    this.version += 1;
    const type = this.objects.has(name) ? "MODIFIED" : "ADDED";
    this.objects.set(name, this.version);
    this.history.push({ version: this.version, type, name });
  }

  delete(name: string): void {
    if (!this.objects.delete(name)) return;
    this.version += 1;
    this.history.push({ version: this.version, type: "DELETED", name });
  }
}

test("Reflection comes to know what the store holds, whatever happens on the way", (t) => {
  fc.assert(
    fc.property(deeds, (all) => {
      const store = new Store();
      const reflection = new Reflection();
      const told = new Map<string, string>();
      const hear = (changes: readonly Change[]): void => {
        for (const change of changes) {
          const { key } = change;
          if (change.type === "deleted") {
            if (!told.delete(key)) throw new Error(`${key} is deleted and was never told`);
          } else if (change.type === "applied") {
            const version = change.object.metadata.resourceVersion ?? "";
            if (told.get(key) === version) throw new Error(`${key} is told twice`);
            told.set(key, version);
          }
        }
      };
      const listAll = (isCut: boolean): void => {
        reflection.begin();
        const items = [...store.objects].map(([name, version]) => object(name, version));
        const half = isCut ? items.slice(0, items.length / 2) : items;
        hear(reflection.page(list(store.version, half))?.changes ?? []);
        if (!isCut) hear(reflection.complete());
      };
      const resume = (): void => {
        const from = Number(reflection.version || "-1");
        if (from < store.compacted) {
          t.is(reflection.line({ type: "ERROR", object: { code: 410 } }).kind, "expired");
          return listAll(false);
        }
        for (const { version, type, name } of store.history) {
          if (version <= from) continue;
          const step = reflection.line({ type, object: object(name, version) });
          if (step.kind === "changes") hear(step.changes);
        }
      };
      listAll(false);
      for (const deed of all) {
        if (deed.kind === "put") store.put(deed.name);
        else if (deed.kind === "delete") store.delete(deed.name);
        else if (deed.kind === "compact") {
          store.compacted = store.version;
          store.history = [];
        } else if (deed.kind === "cut") listAll(true);
        else if (deed.kind === "resume") resume();
        else {
          resume();
          const { version } = store;
          reflection.line({
            type: "BOOKMARK",
            object: { metadata: { resourceVersion: String(version) } },
          });
        }
      }
      resume();
      const held = [...store.objects].map(([name, version]) => [`n/${name}`, String(version)]);
      t.deepEqual(Object.fromEntries(told), Object.fromEntries(held));
    }),
    fuzzOptions(t, 300),
  );
});
