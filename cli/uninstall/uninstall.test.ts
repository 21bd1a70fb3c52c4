// The real thing is in test/cluster/ring/alone/install.test.ts; here what a cluster seldom does: going slowly,
// putting things back, not going at all.
import test from "ava";
import type { ApiRequest, KubernetesClient } from "#/cluster/kubernetes/client.ts";
import { KubernetesError } from "#/cluster/kubernetes/kubernetes-error.ts";
import type { Clock } from "#/lib/clock.ts";
import { planText, refuseWhile } from "../commands/uninstall.ts";
import { readBase } from "../install/base.ts";
import { MeshAccessError } from "../mesh.ts";
import type { KubernetesObject } from "../mesh.ts";
import { referenceText, referenceTo } from "./reference.ts";
import type { Reference } from "./reference.ts";
import { removeMesh } from "./remove.ts";
import { surveyMesh } from "./survey.ts";

const base = readBase(process.cwd()).map(({ object }) => object);
const { signal } = new AbortController();

const referenceOf = (object: KubernetesObject): Reference => referenceTo(object.kind, object);

/** Objects by their paths; what is deleted goes at once unless it is told to stay. */
class Cluster implements KubernetesClient {
  readonly objects = new Map<string, KubernetesObject>();
  readonly calls: string[] = [];
  readonly stays = new Set<string>();
  onDelete: (path: string) => void = () => undefined;

  put(...objects: readonly KubernetesObject[]): this {
    for (const object of objects) this.objects.set(referenceOf(object).path, object);
    return this;
  }

  call({ method, path, query = {} }: ApiRequest): Promise<unknown> {
    this.calls.push(`${method} ${path}`);
    if (query["limit"] !== undefined) return Promise.resolve(this.#list(path, query));
    const object = this.objects.get(path);
    if (object === undefined) return Promise.reject(new KubernetesError("not_found", "no such"));
    if (method === "DELETE" && !this.stays.has(path)) {
      this.objects.delete(path);
      this.onDelete(path);
    }
    return Promise.resolve(object);
  }

  stream(): Promise<void> {
    return Promise.reject(new Error("not asked"));
  }

  close(): void {}

  /** Pages of two. */
  #list(path: string, query: Readonly<Record<string, string>>): unknown {
    const word = path.split("/").at(-1);
    const name = query["fieldSelector"]?.split("=")[1];
    const all = [...this.objects.entries()].filter(
      ([at, { metadata }]) =>
        at.split("/").at(-2) === word && (name === undefined || metadata.name === name),
    );
    const from = Number(query["continue"] ?? 0);
    const page = all.slice(from, from + 2).map(([, { apiVersion: _a, kind: _k, ...rest }]) => rest);
    const [, first] = all[0] ?? [];
    return {
      apiVersion: first?.apiVersion ?? "v1",
      kind: `${first?.kind ?? ""}List`,
      metadata: from + 2 < all.length ? { continue: String(from + 2) } : {},
      items: page,
    };
  }
}

/** Each sleep ends at once, and took as long as it was to. */
function quickClock(): Clock {
  let now = 0;
  return {
    now: () => now,
    monotonic: () => now,
    after(delayMs, callback) {
      now += delayMs;
      const timer = setImmediate(callback);
      return () => clearImmediate(timer);
    },
  };
}

const bundle = (namespace: string): KubernetesObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "signet-trust-bundle", namespace },
});

function pod(namespace: string, name: string, more: object = {}): KubernetesObject {
  const spec = { volumes: [{ name: "signet-token" }] };
  return { apiVersion: "v1", kind: "Pod", metadata: { namespace, name }, spec, ...more };
}

test("referenceOf knows where an API server has each kind of the base", (t) => {
  const paths = new Set(base.map(referenceOf).map(({ path }) => path));
  for (const path of [
    "/api/v1/namespaces/signet-system",
    "/apis/networking.k8s.io/v1/namespaces/signet-system/networkpolicies/nothing-else",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/signet-controller",
  ]) {
    t.true(paths.has(path), path);
  }
  t.is(referenceText(referenceOf(bundle("a"))), "ConfigMap a/signet-trust-bundle");
});

test("surveyMesh finds what is there, webhooks first and the namespace last", async (t) => {
  const bundles = ["a", "b", "c"].map(bundle);
  const cluster = new Cluster().put(...base, ...bundles);
  const { found } = await surveyMesh(cluster, base, signal);
  t.is(found.length, base.length + 3);
  t.regex(found[0]!.kind, /WebhookConfiguration$/);
  t.is(found.at(-1)?.kind, "Namespace");
  t.false(
    cluster.calls.some((call) => /secrets/.test(call)),
    "nobody needs to see the key",
  );
  t.deepEqual((await surveyMesh(new Cluster(), base, signal)).found, []);
});

test("surveyMesh names pods whose sidecars would be left alone, and no others", async (t) => {
  const plain = { spec: { volumes: [{ name: "signet-token-like" }] } };
  const cluster = new Cluster().put(
    pod("a", "runs"),
    pod("a", "done", { status: { phase: "Succeeded" } }),
    pod("a", "failed", { status: { phase: "Failed" } }),
    pod("a", "plain", plain),
    pod("signet-system", "stranger", plain),
    { ...pod("a", "going"), metadata: { ...pod("a", "going").metadata, ...deleted } },
    { ...pod("signet-system", "ours", plain), metadata: ours },
  );
  const { meshedPods, strangers } = await surveyMesh(cluster, base, signal);
  t.deepEqual(meshedPods, ["a/runs"]);
  t.deepEqual(strangers, ["signet-system/stranger"]);
});
const deleted = { deletionTimestamp: "2026-01-01T00:00:00Z" };
const ours = {
  namespace: "signet-system",
  name: "ours",
  labels: { "app.kubernetes.io/part-of": "signet" },
};

const empty = { found: [], meshedPods: [], strangers: [], labelled: [] };

test("refuseWhile names the pods and says what to do, a few of many", (t) => {
  t.notThrows(() => refuseWhile(empty));
  const many = Array.from({ length: 12 }, (_, index) => `shop/web-${index}`);
  const error = t.throws(() => refuseWhile({ ...empty, meshedPods: many }), {
    instanceOf: MeshAccessError,
    message: /12 pods with a sidecar .*shop\/web-7 and 4 more$/,
  });
  t.regex(error.next, /kubectl label namespace shop signet.dev\/inject-/);
  t.throws(() => refuseWhile({ ...empty, strangers: ["signet-system/db"] }), {
    message: /not the mesh's run in it: signet-system\/db/,
  });
});

test("planText says what stands in the way", (t) => {
  const lines = planText({ ...empty, found: base.map(referenceOf), meshedPods: ["a/b"] });
  t.true(
    lines.includes("Namespace signet-system, with Secret signet-ca (the root key) and all else"),
  );
  t.regex(lines.at(-1)!, /pod a\/b has a sidecar/);
});

function removal(cluster: Cluster, timeoutMs = 60_000) {
  const lines: string[] = [];
  const onProgress = (line: string): void => void lines.push(line);
  const options = { client: cluster, clock: quickClock(), signal, timeoutMs, onProgress };
  return { lines, options };
}

test("removeMesh deletes step by step, each once the last one's are gone", async (t) => {
  const cluster = new Cluster().put(...base, bundle("app-b"));
  const { found } = await surveyMesh(cluster, base, signal);
  const { options, lines } = removal(cluster);
  cluster.calls.length = 0;
  await removeMesh(found, options);
  const deletes = cluster.calls.filter((call) => call.startsWith("DELETE"));
  const kinds = deletes.map((call) => call.split("/").at(-2));
  t.deepEqual(kinds, [
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "deployments",
    "statefulsets",
    "configmaps",
    "customresourcedefinitions",
    "customresourcedefinitions",
    "customresourcedefinitions",
    "clusterrolebindings",
    "clusterrolebindings",
    "clusterroles",
    "clusterroles",
    "clusterroles",
    "clusterroles",
    "namespaces",
  ]);
  t.is(lines.length, 6);
});

test("removeMesh takes a bundle away that a controller published while it was going", async (t) => {
  const cluster = new Cluster().put(...base, bundle("app-b"));
  const { found } = await surveyMesh(cluster, base, signal);
  cluster.onDelete = (path) => {
    if (path.endsWith("/statefulsets/signet-controller")) cluster.put(bundle("late"));
  };
  await removeMesh(found, removal(cluster).options);
  t.false([...cluster.objects.keys()].some((path) => path.includes("signet-trust-bundle")));
});

test("removeMesh ends with what holds it up when its time is over, having said so before", async (t) => {
  const cluster = new Cluster().put(...base);
  const { found } = await surveyMesh(cluster, base, signal);
  const path = "/api/v1/namespaces/signet-system";
  const message = "Some content in the namespace has finalizers remaining";
  const status = { conditions: [{ type: "X", status: "True", message }] };
  cluster.objects.set(path, { ...cluster.objects.get(path)!, status });
  cluster.stays.add(path);
  const { options, lines } = removal(cluster, 25_000);
  const error = await t.throwsAsync(removeMesh(found, options), {
    instanceOf: MeshAccessError,
    message: /Namespace signet-system is still there after 25.0 s; Some content .*remaining$/,
  });
  t.regex(error.next, /Run it again/);
  t.is(lines.filter((line) => line.includes("still there after")).length, 2);
});

test("removeMesh waits for one step before it begins the next", async (t) => {
  const cluster = new Cluster().put(...base);
  const { found } = await surveyMesh(cluster, base, signal);
  cluster.stays.add("/apis/apps/v1/namespaces/signet-system/statefulsets/signet-controller");
  await t.throwsAsync(removeMesh(found, removal(cluster, 1_000).options));
  t.false(
    cluster.calls.some((call) => call.startsWith("DELETE") && /\/namespaces\/[^/]+$/.test(call)),
  );
});

test("removeMesh ends at once when it is stopped", async (t) => {
  const stop = new AbortController();
  const cluster = new Cluster().put(...base);
  const { found } = await surveyMesh(cluster, base, signal);
  cluster.stays.add("/api/v1/namespaces/signet-system");
  const { options } = removal(cluster);
  cluster.onDelete = (path) => path.includes("clusterroles") && stop.abort(new Error("stopped"));
  await t.throwsAsync(removeMesh(found, { ...options, signal: stop.signal }), {
    message: "stopped",
  });
});
