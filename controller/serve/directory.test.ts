import test from "ava";
import type { PodRecord } from "#/cluster/events.ts";
import { pod } from "#/test/kit/objects.ts";
import { Suspensions } from "../index/suspensions.ts";
import { Workloads } from "../index/workloads.ts";
import { workloadDirectory } from "./directory.ts";

function directoryOf(
  ...pods: readonly ReturnType<typeof pod>[]
): ReturnType<typeof workloadDirectory> {
  const workloads = new Workloads();
  for (const each of pods) workloads.apply(each as PodRecord);
  return workloadDirectory({ workloads, suspensions: new Suspensions() });
}

test("workloadDirectory tells the CA what it compares", (t) => {
  t.deepEqual(directoryOf(pod("app/a", { account: "sa" })).pod("app", "a"), {
    uid: "uid-of-a",
    serviceAccount: "sa",
    node: "node-1",
    addresses: ["10.1.0.1"],
    isLive: true,
  });
});

test("workloadDirectory knows no pod by parts of other names", (t) => {
  const directory = directoryOf(pod("app/a"));
  t.is(directory.pod("app", "b"), null);
  t.is(directory.pod("other", "a"), null);
  t.is(directory.pod("", "app/a"), null);
  t.is(directory.pod("app/a", ""), null);
});

test("workloadDirectory calls a finished pod not live", (t) => {
  for (const phase of ["Succeeded", "Failed"]) {
    t.false(directoryOf(pod("app/a", { phase })).pod("app", "a")?.isLive);
  }
});

test("attack-33 workloadDirectory gives a pod on the node's network no address to be told by", (t) => {
  const host = pod("app/a", { hostNetwork: true });
  t.deepEqual(directoryOf(host).pod("app", "a")?.addresses, []);
});
