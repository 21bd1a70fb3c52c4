import test from "ava";
import type { KubernetesObject } from "../objects.ts";
import { ClusterAddresses, backendsOf, isCalled, putSlices, resolveName } from "./services.ts";
import { Store } from "../store.ts";

function service(name: string, spec: Record<string, unknown> = {}): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "n" },
    spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
  };
}

function pod(name: string, podIP: string, isReady: boolean): KubernetesObject {
  const conditions = [{ type: "Ready", status: isReady ? "True" : "False" }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "n", labels: { app: "web" } },
    spec: { containers: [] },
    status: { phase: "Running", podIP, conditions },
  };
}

function storeWith(...objects: KubernetesObject[]): Store {
  const store = new Store(() => 0);
  for (const object of objects) store.put(object);
  return store;
}

test("isCalled tells workloads that a Service stands for from those that only call", (t) => {
  const services = [service("a"), service("headless", { clusterIP: "None", selector: undefined })];
  const deployment = (namespace: string, app: string): KubernetesObject => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: app, namespace },
    spec: { template: { metadata: { labels: { app } } } },
  });
  t.true(isCalled(deployment("n", "web"), services));
  t.true(isCalled(pod("p", "10.77.1.1", false), services));
  t.false(isCalled(deployment("n", "client"), services));
  t.false(isCalled(deployment("other", "web"), services));
  t.false(isCalled(deployment("n", "web"), []));
});

test("ClusterAddresses gives each Service one address, the same one each time", (t) => {
  const addresses = new ClusterAddresses();
  const first = addresses.assign(service("a"));
  t.is(first.spec?.["clusterIP"], "10.78.0.1");
  t.is(addresses.assign(service("b")).spec?.["clusterIP"], "10.78.0.2");
  t.is(addresses.assign(service("a")).spec?.["clusterIP"], "10.78.0.1");
  t.is(addresses.assign(first).spec?.["clusterIP"], "10.78.0.1");
});

test("ClusterAddresses leaves a headless Service without one", (t) => {
  t.is(
    new ClusterAddresses().assign(service("a", { clusterIP: "None" })).spec?.["clusterIP"],
    "None",
  );
});

test("ClusterAddresses refuses an address that the manifest picks", (t) => {
  const addresses = new ClusterAddresses();
  t.throws(() => addresses.assign(service("a", { clusterIP: "10.0.0.1" })), {
    code: "not_possible_here",
    message: 'Cannot give Service "a" the address "10.0.0.1"',
  });
});

test("ClusterAddresses has an end", (t) => {
  const addresses = new ClusterAddresses();
  const given = Array.from({ length: 1000 }, (_, index) => addresses.assign(service(`s${index}`)));
  t.is(new Set(given.map(({ spec }) => spec?.["clusterIP"])).size, 1000);
  t.throws(() => addresses.assign(service("one-more")), { code: "not_possible_here" });
});

test("putSlices removes the slice of a Service that is gone", (t) => {
  const store = storeWith(service("a"), pod("p", "10.77.1.1", true));
  putSlices(store);
  t.is(store.list("EndpointSlice").length, 1);
  store.delete("Service/n/a");
  putSlices(store);
  t.is(store.list("EndpointSlice").length, 0);
});

test("backendsOf sends only to pods that are ready, and keeps a Service without any", (t) => {
  const given = new ClusterAddresses().assign(service("a"));
  const up = storeWith(given, pod("p", "10.77.1.1", true), pod("q", "10.77.1.2", false));
  t.deepEqual(backendsOf(up), [
    {
      service: "n/a",
      address: "10.78.0.1",
      port: 80,
      backends: [{ address: "10.77.1.1", port: 8080 }],
    },
  ]);
  t.deepEqual(backendsOf(storeWith(given))[0]?.backends, []);
});

test("resolveName knows Services by their full name alone", (t) => {
  const store = storeWith(
    service("a", { clusterIP: "10.78.0.1" }),
    service("h", { clusterIP: "None" }),
    pod("p", "10.77.1.1", true),
    pod("q", "10.77.1.2", false),
  );
  t.deepEqual(resolveName(store, "a.n.svc.cluster.local"), ["10.78.0.1"]);
  t.deepEqual(resolveName(store, "h.n.svc.cluster.local"), ["10.77.1.1"]);
  for (const name of [
    "a",
    "a.n",
    "a.n.svc",
    "a.n.svc.cluster.local.evil",
    "x.a.n.svc.cluster.local",
    "a.m.svc.cluster.local",
    "a.n.pod.cluster.local",
    "..svc.cluster.local",
    "",
  ]) {
    t.is(resolveName(store, name), null, name);
  }
});

const outside = (metadata: object = {}, endpoints: readonly object[] = []): KubernetesObject => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: {
    name: "outside-1",
    namespace: "n",
    labels: { "kubernetes.io/service-name": "a" },
    ...metadata,
  },
  addressType: "IPv4",
  ports: [{ port: 9090 }],
  endpoints: [{ addresses: ["203.0.113.7"] }, ...endpoints],
});

test("slices that somebody wrote stay, and lead outside of the mesh", (t) => {
  const unready = { addresses: ["203.0.113.8"], conditions: { ready: false } };
  const store = storeWith(
    service("a", { selector: undefined, clusterIP: "10.78.0.1" }),
    outside({}, [unready]),
  );
  putSlices(store);
  putSlices(store);
  t.deepEqual(
    store
      .list("EndpointSlice")
      .map(({ metadata }) => metadata.name)
      .sort(),
    ["a-local", "outside-1"],
  );
  const [backend] = backendsOf(store);
  t.deepEqual(backend?.backends, [{ address: "203.0.113.7", port: 9090 }]);
  const other = storeWith(
    service("a", { selector: undefined, clusterIP: "10.78.0.1" }),
    outside({ namespace: "m" }),
  );
  t.deepEqual(backendsOf(other)[0]?.backends, [], "another namespace's");
});
