import test from "ava";
import type { PodRecord } from "#/cluster/events.ts";
import type { PodFields } from "#/test/kit/objects.ts";
import { pod } from "#/test/kit/objects.ts";
import { Workloads } from "./workloads.ts";

const asking = { injected: false, labels: { "service-mesh": "enabled" } };

const cases: readonly [title: string, fields: PodFields, isInNeed: boolean][] = [
  ["has a sidecar", {}, true],
  ["asks for itself", asking, true],
  ["asks for itself and has not begun", { ...asking, phase: "Pending" }, true],
  ["has none and asks for none", { injected: false }, false],
  ["asks in a word that is not known", { ...asking, labels: { "service-mesh": "yes" } }, false],
  ["had a sidecar and has ended", { phase: "Succeeded" }, false],
  ["asked and has failed", { ...asking, phase: "Failed" }, false],
];
for (const [title, fields, isInNeed] of cases) {
  test(`namespacesInNeed of a pod that ${title}`, (t) => {
    const workloads = new Workloads();
    workloads.apply(pod("app/a", fields) as PodRecord);
    t.deepEqual([...workloads.namespacesInNeed()], isInNeed ? ["app"] : []);
  });
}

test("namespacesInNeed forgets a namespace with its last pod in need", (t) => {
  const workloads = new Workloads();
  const inNeed = (): string => [...workloads.namespacesInNeed()].sort().join();
  for (const key of ["app/a", "app/b", "other/c"]) workloads.apply(pod(key) as PodRecord);
  workloads.delete("app/a");
  t.is(inNeed(), "app,other");
  workloads.apply(pod("app/b", { phase: "Succeeded" }) as PodRecord);
  t.is(inNeed(), "other");
  workloads.delete("app/b");
  workloads.delete("other/c");
  t.is(inNeed(), "");
});
