import test from "ava";
import type { Verdict } from "./condition.ts";
import type { RawObject } from "./reflection.ts";
import type { RouteView } from "./route-status.ts";
import { controllerName, duePatch, keepRoute } from "./route-status.ts";

const now = Date.UTC(2026, 0, 1);
const web = { group: "", kind: "Service", name: "web" };
const edge = { name: "edge" };

const yes: Verdict = { status: "True", reason: "Yes", message: "yes" };
const view = (inForce = true): RouteView => ({
  judge: ({ parents }) => ({ accepted: parents.map(() => yes), resolvedRefs: yes }),
  has: () => inForce,
});
const theirs = { controllerName: "example.net/other", parentRef: web, conditions: [{ type: "X" }] };

const route = (parents: unknown, told?: unknown, rules: readonly object[] = []): RawObject => ({
  metadata: { name: "r", namespace: "n", generation: 7, resourceVersion: "42" },
  spec: { parentRefs: parents, rules },
  ...(told === undefined ? {} : { status: { parents: told } }),
});

interface Entry {
  readonly controllerName: string;
  readonly parentRef: unknown;
  readonly conditions: readonly Record<string, unknown>[];
}

function due(object: RawObject, seen = view(), at = now): readonly Entry[] | null {
  const patch = duePatch("n/r", keepRoute(object), seen, at);
  return patch === null ? null : (patch.body as { status: { parents: Entry[] } }).status.parents;
}

test("duePatch has an entry for each Service, and none for other parents", (t) => {
  const other = { ...web, name: "b", port: 80 };
  const entries = due(route([web, edge, other])) ?? [];
  t.deepEqual(
    entries.map((entry) => [entry.controllerName, entry.parentRef]),
    [
      [controllerName, web],
      [controllerName, other],
    ],
  );
  t.deepEqual(
    entries[0]?.conditions.map(({ type, status, observedGeneration }) => [
      type,
      status,
      observedGeneration,
    ]),
    [
      ["Accepted", "True", 7],
      ["ResolvedRefs", "True", 7],
    ],
  );
});

test("duePatch is written under the version that was read", (t) => {
  t.like(duePatch("n/r", keepRoute(route([web])), view(), now)?.body, {
    metadata: { resourceVersion: "42" },
  });
});

test("duePatch leaves other controllers' entries as they are", (t) => {
  t.deepEqual(due(route([web], [theirs]))?.[0], theirs);
  t.is(due(route([edge], [theirs])), null, "a gateway's route is none of ours");
});

test("duePatch says nothing twice, whatever the order of a reference's fields", (t) => {
  const [own] = due(route([web])) ?? [];
  t.is(due(route([web], [theirs, own]), view(), now + 5_000), null);
  const turned = { ...own, parentRef: { name: "web", kind: "Service", group: "" } };
  t.is(due(route([web], [turned])), null);
});

test("duePatch takes its entry away when the route no longer names the Service", (t) => {
  const [own] = due(route([web])) ?? [];
  t.deepEqual(due(route([edge], [theirs, own])), [theirs]);
  t.deepEqual(due(route([], [own])), []);
});

test("duePatch keeps the time of the last turn while the answer is the same", (t) => {
  const [own] = due(route([web])) ?? [];
  const old = { ...route([web], [own]), metadata: { name: "r", namespace: "n", generation: 8 } };
  const [entry] = due(old, view(), now + 5_000) ?? [];
  t.is(entry?.conditions[0]?.["lastTransitionTime"], "2026-01-01T00:00:00Z");
  t.is(entry?.conditions[0]?.["observedGeneration"], 8);
});

for (const [inForce, instead] of [
  [true, /the last version that could be read stays in force$/],
  [false, /nothing of the route is in force$/],
] as const) {
  test(`duePatch names the fault of a route that cannot be read (a version is in force: ${inForce})`, (t) => {
    const bad = route([web, { ...web, name: "b" }], undefined, [{ filters: [{ type: "X" }] }]);
    const entries = due(bad, view(inForce)) ?? [];
    t.is(entries.length, 2);
    for (const { conditions } of entries) {
      t.like(conditions[0], { type: "Accepted", status: "False", reason: "UnsupportedValue" });
      t.regex(
        String(conditions[0]?.["message"]),
        /"n\/r": spec\.rules\.0\.filters: not supported\. /,
      );
      t.regex(String(conditions[0]?.["message"]), instead);
      t.like(conditions[1], { type: "ResolvedRefs", status: "Unknown" });
    }
  });
}

for (const parents of [null, 1, "x", {}, [null], [1], [{ controllerName, parentRef: 7 }]]) {
  test(`duePatch is not led astray by status.parents ${JSON.stringify(parents)}`, (t) => {
    const own = due(route([web], parents))?.filter(
      (entry) => entry.controllerName === controllerName,
    );
    t.is(own?.length, 1);
  });
}

test("duePatch writes no more entries than the API takes", (t) => {
  const crowd = Array.from({ length: 32 }, () => theirs);
  t.is(due(route([web], crowd))?.length, 32);
});
