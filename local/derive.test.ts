// Pods of a Deployment, what a rollout keeps, and the slices of Services.
import test from "ava";
import {
  endpointSliceOf,
  isReady,
  ownerOf,
  podOf,
  replicasOf,
  rolloutOf,
  selects,
  statusOf,
  targetPortOf,
  templateHash,
} from "./derive.ts";
import type { KubernetesObject, Labels } from "./objects.ts";

const deployment = (image = "signet/app-b", replicas?: number): KubernetesObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "n", uid: "uid-of-web" },
  spec: {
    ...(replicas === undefined ? {} : { replicas }),
    template: {
      metadata: { labels: { app: "web" }, annotations: { note: "x" } },
      spec: {
        containers: [{ name: "web", image, ports: [{ name: "http", containerPort: 8080 }] }],
      },
    },
  },
});

interface Condition {
  readonly address?: string;
  readonly ready?: boolean;
  readonly labels?: Labels;
  readonly namespace?: string;
}

function podWith(name: string, condition: Condition = {}): KubernetesObject {
  const { address, ready = false, labels = { app: "web" }, namespace = "n" } = condition;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, uid: `uid-of-${name}`, labels },
    spec: {
      containers: [{ ports: [{ containerPort: 9000 }, { name: "http", containerPort: 8080 }] }],
    },
    status: {
      phase: "Running",
      ...(address === undefined ? {} : { podIP: address }),
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    },
  };
}

const service = (
  ports: readonly unknown[],
  selector: Labels = { app: "web" },
): KubernetesObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "n" },
  spec: { selector, ports },
});

test("podOf makes a pod of the template, owned, labelled and named after the Deployment", (t) => {
  const pod = podOf(deployment(), "bcdfg");
  t.regex(pod.metadata.name, /^web-[0-9a-f]{6}-bcdfg$/);
  t.like(pod, { kind: "Pod", metadata: { namespace: "n", annotations: { note: "x" } } });
  t.is(pod.metadata.labels?.["app"], "web");
  t.is(pod.metadata.labels?.["pod-template-hash"], templateHash(deployment()));
  t.is(ownerOf(pod), "web");
  t.deepEqual(pod.metadata["ownerReferences"], [
    { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "uid-of-web" },
  ]);
});

test("ownerOf is null for a pod of its own", (t) => {
  t.is(ownerOf(podWith("alone")), null);
});

test("templateHash changes with the template and with nothing else", (t) => {
  t.is(templateHash(deployment("a", 1)), templateHash(deployment("a", 7)));
  t.not(templateHash(deployment("a")), templateHash(deployment("b")));
});

test("replicasOf is one unless it is said, and zero is zero", (t) => {
  t.is(replicasOf(deployment()), 1);
  t.is(replicasOf(deployment("a", 0)), 0);
});

test("rolloutOf replaces pods of an older template", (t) => {
  const old = podOf(deployment("old"), "a");
  const { missing, surplus } = rolloutOf(deployment("new", 2), [old]);
  t.is(missing, 2);
  t.deepEqual(surplus, [old]);
});

test("rolloutOf sends away those that do not serve first", (t) => {
  const pods = [podOf(deployment(), "a"), podOf(deployment(), "b")];
  const conditions = [{ type: "Ready", status: "True" }];
  const serving = { ...pods[1]!, status: { phase: "Running", conditions } };
  const { missing, surplus } = rolloutOf(deployment("signet/app-b", 1), [pods[0]!, serving]);
  t.is(missing, 0);
  t.deepEqual(surplus, [pods[0]!]);
});

test("selects needs every label, and an empty selector selects nothing", (t) => {
  t.true(selects({ a: "1" }, { a: "1", b: "2" }));
  t.false(selects({ a: "1", b: "3" }, { a: "1", b: "2" }));
  t.false(selects({}, { a: "1" }));
  t.false(selects(undefined, { a: "1" }));
  t.false(selects({ a: "1" }, undefined));
});

test("targetPortOf takes a number, a name of the pod's, or the port itself", (t) => {
  const pod = podWith("p");
  t.is(targetPortOf({ port: 80, targetPort: 8443 }, pod), 8443);
  t.is(targetPortOf({ port: 80, targetPort: "http" }, pod), 8080);
  t.is(targetPortOf({ port: 80 }, pod), 80);
  t.is(targetPortOf({ port: 80, targetPort: "grpc" }, pod), null);
});

test("isReady needs the Ready condition to be True; a pod without status is pending", (t) => {
  t.true(isReady(podWith("p", { ready: true })));
  t.false(isReady(podWith("p")));
  const { status: _status, ...bare } = podWith("p");
  t.false(isReady(bare));
  t.is(statusOf(bare).phase, "Pending");
});

test("endpointSliceOf holds the Service's pods that have an address, ready or not", (t) => {
  const pods = [
    podWith("a", { address: "10.77.1.1", ready: true }),
    podWith("b", { address: "10.77.1.2" }),
    podWith("starting"),
    podWith("elsewhere", { address: "10.77.1.3", namespace: "m" }),
    podWith("other", { address: "10.77.1.4", labels: { app: "db" } }),
  ];
  const slice = endpointSliceOf(service([{ name: "http", port: 80, targetPort: "http" }]), pods);
  t.like(slice.metadata, { namespace: "n", labels: { "kubernetes.io/service-name": "web" } });
  t.like(slice, { kind: "EndpointSlice", ports: [{ name: "http", port: 8080, protocol: "TCP" }] });
  const target = (name: string): object => ({
    kind: "Pod",
    name,
    namespace: "n",
    uid: `uid-of-${name}`,
  });
  const conditions = (ready: boolean): object => ({ ready, serving: ready, terminating: false });
  t.deepEqual(slice["endpoints"], [
    { addresses: ["10.77.1.1"], conditions: conditions(true), targetRef: target("a") },
    { addresses: ["10.77.1.2"], conditions: conditions(false), targetRef: target("b") },
  ]);
});

test("endpointSliceOf without pods keeps the ports that it can know", (t) => {
  const slice = endpointSliceOf(service([{ port: 80 }, { port: 81, targetPort: 8081 }]), []);
  t.deepEqual(slice["endpoints"], []);
  t.like(slice, { ports: [{ name: "", port: 80 }] });
});
