import test from "ava";
import type { ClusterFacts, PodFacts } from "./cluster-facts.ts";
import { fitness, parts, refusedPolicies, withoutSidecar } from "./cluster.ts";
import type { Finding } from "./findings.ts";

const facts: ClusterFacts = {
  version: "v1.34.4",
  forbidden: [],
  knowsRoutes: true,
  knowsPolicies: true,
  controller: { wanted: 2, ready: 2 },
  injector: { wanted: 2, ready: 2 },
  webhooks: new Map([["namespace.inject.signet.dev", true]]),
  namespaces: [],
  pods: [],
  policies: [],
  hasBundle: true,
};

const words = (findings: readonly Finding[]): readonly string[] =>
  findings.map(({ verdict, what }) => `${verdict}: ${what}`);

test("a cluster that is fit, with a mesh that is well, has nothing to mend", (t) => {
  const all = [...fitness(facts, false), ...parts(facts)];
  t.deepEqual([...new Set(all.map(({ verdict }) => verdict))], ["passed"]);
  t.true(all.every(({ next }) => next === ""));
});

for (const [change, expected] of [
  [{ version: "v1.24.0" }, "failed: Kubernetes v1.24.0 is too old"],
  [{ version: "v1.28.3" }, "info: Kubernetes v1.28.3"],
  [{ version: "garbage" }, "failed: Kubernetes garbage is too old"],
  [{ forbidden: ["namespaces"] }, "failed: you may not create namespaces"],
  [
    { knowsRoutes: false },
    "info: no HTTPRoute: everything works but weights, retries and timeouts",
  ],
] as const) {
  test(`fitness says "${expected}", and what to do`, (t) => {
    const found = fitness({ ...facts, ...change }, false).filter(
      ({ verdict }) => verdict !== "passed",
    );
    t.deepEqual(words(found), [expected]);
    t.true(found.every(({ next }) => next !== ""));
  });
}

for (const [change, expected] of [
  [{ controller: null }, "failed: no StatefulSet signet-controller"],
  [{ injector: { wanted: 2, ready: 1 } }, "failed: signet-injector: 1 of 2 replicas ready"],
  [{ controller: { wanted: 0, ready: 0 } }, "failed: signet-controller: 0 of 0 replicas ready"],
  [{ webhooks: null }, "failed: no webhook: no pod gets a sidecar"],
  [
    {
      webhooks: new Map([
        ["a", true],
        ["b", false],
      ]),
    },
    "failed: webhook b has no caBundle",
  ],
  [{ knowsPolicies: false }, "failed: no PeerAuthentication: nobody can enforce strict mode"],
  [{ hasBundle: false }, "failed: no trust bundle is published: no sidecar can start"],
] as const) {
  test(`parts says "${expected}", and what to do`, (t) => {
    const found = parts({ ...facts, ...change }).filter(({ verdict }) => verdict !== "passed");
    t.deepEqual(words(found), [expected]);
    t.true(found.every(({ next }) => next !== ""));
  });
}

const pod = (
  namespace: string,
  metadata: Partial<PodFacts["metadata"]> = {},
  spec: PodFacts["spec"] = {},
  phase = "Running",
): PodFacts => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace, name: "p", ...metadata },
  spec,
  status: { phase },
});
const labelled = {
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: "in", labels: { "signet.dev/inject": "enabled" } },
};
const sidecar = { initContainers: [{ name: "proxy" }] };

for (const [title, one, asks] of [
  ["of a labelled namespace", pod("in"), true],
  ["of another namespace", pod("out"), false],
  ["that asks by itself", pod("out", { labels: { "service-mesh": "enabled" } }), true],
  ["that asks by our label", pod("out", { labels: { "signet.dev/inject": "enabled" } }), true],
  ["that opted out", pod("in", { annotations: { "signet.dev/inject": "disabled" } }), false],
  ["that has a native sidecar", pod("in", {}, sidecar), false],
  ["that has a classic sidecar", pod("in", {}, { containers: [{ name: "proxy" }] }), false],
  ["on the host's network", pod("in", {}, { hostNetwork: true }), false],
  ["that has ended", pod("in", {}, {}, "Succeeded"), false],
  ["that is going", pod("in", { deletionTimestamp: "2026-11-21T08:00:00Z" }), false],
] as const) {
  test(`withoutSidecar ${asks ? "names" : "leaves out"} a pod ${title}`, (t) => {
    const found = withoutSidecar({ ...facts, namespaces: [labelled], pods: [one] });
    t.is(found.length, asks ? 1 : 0);
    if (asks) t.regex(found[0]!.next, /kubectl rollout restart/);
  });
}

test("withoutSidecar tells to run a Job again", (t) => {
  const one = pod("in", { labels: { "batch.kubernetes.io/job-name": "j" } });
  const found = withoutSidecar({ ...facts, namespaces: [labelled], pods: [one] });
  t.regex(found[0]!.next, /Run its Job again/);
});

test("refusedPolicies repeats what stands in the object's status", (t) => {
  const policy = (status: string): object => ({
    apiVersion: "signet.dev/v1alpha1",
    kind: "PeerAuthentication",
    metadata: { namespace: "n", name: "p" },
    status: { conditions: [{ type: "Accepted", status, message: "spec.mtls.mode is wrong" }] },
  });
  const all = [policy("True"), policy("False")] as unknown as ClusterFacts["policies"];
  t.deepEqual(words(refusedPolicies(all)), [
    "failed: PeerAuthentication n/p is not in force: spec.mtls.mode is wrong",
  ]);
});
