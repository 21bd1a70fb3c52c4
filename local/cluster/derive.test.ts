import test from "ava";
import {
  endpointSliceOf,
  ownerOf,
  podOf,
  rolloutOf,
  selects,
  targetPortOf,
  templateHash,
} from "./derive.ts";
import type { KubernetesObject } from "../objects.ts";

function deployment(replicas: number | undefined, version = "1"): KubernetesObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "n", uid: "d-1" },
    spec: {
      ...(replicas === undefined ? {} : { replicas }),
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [], version } },
    },
  };
}

function ready(pod: KubernetesObject, isReady: boolean, podIP = "10.77.1.1"): KubernetesObject {
  const conditions = [{ type: "Ready", status: isReady ? "True" : "False" }];
  return { ...pod, status: { phase: "Running", podIP, conditions } };
}

test("podOf names its owner, and its template by a label", (t) => {
  const pod = podOf(deployment(1), "abcde");
  t.is(ownerOf(pod), "web");
  t.regex(pod.metadata.name, /^web-[0-9a-f]{6}-abcde$/);
  t.is(pod.metadata.labels?.["app"], "web");
  t.is(pod.metadata.labels?.["pod-template-hash"], templateHash(deployment(9)));
  t.is(ownerOf({ ...pod, metadata: { name: "alone" } }), null);
});

test("templateHash changes with the template and not with the replicas", (t) => {
  t.is(templateHash(deployment(1)), templateHash(deployment(5)));
  t.not(templateHash(deployment(1)), templateHash(deployment(1, "2")));
});

test("rolloutOf asks for what is missing, one without a number", (t) => {
  t.is(rolloutOf(deployment(3), [podOf(deployment(3), "a")]).missing, 2);
  t.is(rolloutOf(deployment(undefined), []).missing, 1);
  t.is(rolloutOf(deployment(0), []).missing, 0);
});

test("rolloutOf leaves pods of the same template alone", (t) => {
  const pods = ["a", "b"].map((suffix) => podOf(deployment(2), suffix));
  t.deepEqual(rolloutOf(deployment(2), pods), { missing: 0, surplus: [] });
});

test("rolloutOf replaces all pods of an older template", (t) => {
  const old = ["a", "b"].map((suffix) => podOf(deployment(2), suffix));
  t.deepEqual(rolloutOf(deployment(2, "2"), old), { missing: 2, surplus: old });
});

test("rolloutOf gives up pods that do not serve before those that do", (t) => {
  const [first, second] = ["a", "b"].map((suffix) => podOf(deployment(2), suffix));
  const pods = [ready(first!, false), ready(second!, true)];
  t.deepEqual(rolloutOf(deployment(1), pods), { missing: 0, surplus: [pods[0]!] });
});

test("selects nothing without a selector: it would be everything", (t) => {
  t.false(selects(undefined, { app: "a" }));
  t.false(selects({}, { app: "a" }));
  t.false(selects({ app: "a", tier: "x" }, { app: "a" }));
  t.false(selects({ app: "a" }, undefined));
  t.true(selects({ app: "a" }, { app: "a", more: "1" }));
});

const named: KubernetesObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "n", uid: "u", labels: { app: "web" } },
  spec: { containers: [{ ports: [{ name: "http", containerPort: 8080 }] }] },
};

test("targetPortOf reads numbers, names, and the port itself", (t) => {
  t.is(targetPortOf({ port: 80, targetPort: 9090 }, named), 9090);
  t.is(targetPortOf({ port: 80, targetPort: "http" }, named), 8080);
  t.is(targetPortOf({ port: 80 }, named), 80);
  t.is(targetPortOf({ port: 80, targetPort: "none" }, named), null);
});

const service: KubernetesObject = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "n" },
  spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: "http" }] },
};

test("endpointSliceOf lists the pods that have an address, ready or not", (t) => {
  const other = { ...named, metadata: { ...named.metadata, namespace: "m" } };
  const stranger = { ...named, metadata: { ...named.metadata, labels: { app: "x" } } };
  const pods = [
    ready(named, true, "10.77.1.1"),
    ready(named, false, "10.77.1.2"),
    named,
    ready(other, true),
    ready(stranger, true),
  ];
  const slice = endpointSliceOf(service, pods);
  t.is(slice.metadata.labels?.["kubernetes.io/service-name"], "web");
  t.like(slice["endpoints"], [
    { addresses: ["10.77.1.1"], conditions: { ready: true }, targetRef: { uid: "u" } },
    { addresses: ["10.77.1.2"], conditions: { ready: false } },
  ]);
  t.is((slice["endpoints"] as unknown[]).length, 2);
  t.like(slice["ports"], [{ name: "http", port: 8080, protocol: "TCP" }]);
});

test("endpointSliceOf of a Service without pods is empty and keeps its ports", (t) => {
  const slice = endpointSliceOf(service, []);
  t.deepEqual(slice["endpoints"], []);
  t.like(slice["ports"], [{ port: 80 }]);
});
