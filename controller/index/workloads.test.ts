import test from "ava";
import type { PodRecord } from "#/cluster/events.ts";
import type { PodFields } from "#/test/kit/objects.ts";
import { pod } from "#/test/kit/objects.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
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

const own = parseTrustDomain("cluster.local");
const foreign = "spiffe://partner.mesh/ns/a/sa/a";
const elsewhere = { address: "203.0.113.7", reference: null };

test("resolve takes a declared identity for an address outside of the cluster", (t) => {
  const workloads = new Workloads();
  const found = workloads.resolve({ ...elsewhere, declared: foreign }, own);
  t.deepEqual(found, { kind: "known", identity: foreign as never, pod: "" });
  const bare = workloads.resolve({ ...elsewhere, declared: null }, own);
  t.deepEqual(bare, { kind: "known", identity: null, pod: "" });
});

test("resolve uses no endpoint whose declared identity cannot be, rather than plaintext", (t) => {
  const workloads = new Workloads();
  for (const declared of [
    "",
    "partner.mesh",
    "spiffe://partner.mesh",
    "spiffe://cluster.local/ns/a/sa/a",
  ]) {
    t.deepEqual(workloads.resolve({ ...elsewhere, declared }, own), { kind: "unknown" }, declared);
  }
});

test("attack-54 a declared identity says nothing of an address that a pod has", (t) => {
  const workloads = new Workloads();
  workloads.apply(pod("app/a", { address: "10.1.0.1", account: "web" }) as PodRecord);
  const place = { address: "10.1.0.1", reference: null, declared: foreign };
  const found = workloads.resolve(place, own);
  t.like(found, { kind: "known", identity: "spiffe://cluster.local/ns/app/sa/web" as never });
});
