import test from "ava";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import type { KubernetesObject, Mesh, Pod } from "../mesh.ts";
import { strictPolicy } from "../policy.ts";
import { createPrinter } from "../print.ts";
import type { CommandContext } from "./context.ts";
import { setMode } from "./strict.ts";

const pod = (namespace: string, isMeshed: boolean): Pod => ({
  namespace,
  name: `${namespace}-1`,
  address: "10.77.1.1",
  serviceAccount: namespace,
  phase: "Running",
  labels: {},
  isReady: true,
  isMeshed,
});

const namespaces = ["app-a", "app-b", "outside", "signet-system"];
const pods = [
  pod("app-a", true),
  pod("app-b", true),
  pod("outside", false),
  pod("signet-system", false),
];

function meshWith(policies: KubernetesObject[]): Mesh {
  const isSame = (one: KubernetesObject, { metadata }: KubernetesObject): boolean =>
    one.metadata.namespace === metadata.namespace && one.metadata.name === metadata.name;
  const remove = (object: KubernetesObject): void => {
    const at = policies.findIndex((each) => isSame(each, object));
    if (at >= 0) policies.splice(at, 1);
  };
  const mesh = {
    place: "this machine",
    pods: async () => pods,
    objects: async (kind: string) =>
      kind === "Namespace"
        ? namespaces.map((name) => ({ apiVersion: "v1", kind, metadata: { name } }))
        : [...policies],
    apply: async (objects: readonly KubernetesObject[]) => {
      objects.forEach(remove);
      policies.push(...objects);
    },
    remove: async (objects: readonly KubernetesObject[]) => objects.forEach(remove),
  };
  return mesh as unknown as Mesh;
}

async function said(
  mesh: Mesh,
  mode: "STRICT" | "PERMISSIVE",
  namespace = "signet-system",
): Promise<string> {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text) };
  const context: CommandContext = {
    print: createPrinter("table", {}, stream, stream),
    clock: new ManualClock(0),
    signal: new AbortController().signal,
    names: { prefix: "none", stateDirectory: "/nonexistent" },
    repository: "/nonexistent",
    words: { namespace: [namespace] },
    options: {},
  };
  await setMode(context, mode, mesh);
  return written.join("");
}

test("setMode of signet-system says that it is the whole mesh, and where it holds", async (t) => {
  const mesh = meshWith([strictPolicy("app-b", "PERMISSIVE")]);
  t.is(
    await said(mesh, "STRICT"),
    "the whole mesh is STRICT: from now on only callers with a mesh identity reach a pod\n" +
      "  Holds in: app-a, outside (1 pod with a sidecar)\n" +
      "  On this machine\n" +
      "  Not changed, they have a policy of their own: app-b PERMISSIVE\n" +
      "  Not protected, they have no sidecar: outside/outside-1\n",
  );
});

test("setMode of signet-system back to PERMISSIVE leaves no policy behind", async (t) => {
  const policies: KubernetesObject[] = [];
  const mesh = meshWith(policies);
  await said(mesh, "STRICT");
  t.deepEqual(policies, [strictPolicy("signet-system", "STRICT")]);
  t.regex(
    await said(mesh, "PERMISSIVE"),
    /^the whole mesh is PERMISSIVE, the mesh-wide policy is removed: pods take plaintext as well\n/,
  );
  t.deepEqual(policies, []);
  t.regex(await said(mesh, "PERMISSIVE"), /^the whole mesh is PERMISSIVE, there is no mesh-wide/);
});

test("setMode of signet-system keeps a policy that says more than the mode", async (t) => {
  const portLevelMtls = { "8080": { mode: "STRICT" } };
  const policies = [{ ...strictPolicy("signet-system", "STRICT") }];
  policies[0] = { ...policies[0]!, spec: { mtls: { mode: "STRICT" }, portLevelMtls } };
  t.regex(await said(meshWith(policies), "PERMISSIVE"), /^the whole mesh is PERMISSIVE: pods/);
  t.deepEqual(policies[0]?.["spec"], { mtls: { mode: "PERMISSIVE" }, portLevelMtls });
});

test("setMode of any other namespace is that namespace's alone", async (t) => {
  const policies: KubernetesObject[] = [];
  t.is(
    await said(meshWith(policies), "STRICT", "app-a"),
    "app-a is STRICT: from now on only callers with a mesh identity reach its pods (1 pod with a sidecar)\n  On this machine\n",
  );
  t.deepEqual(policies, [strictPolicy("app-a", "STRICT")]);
});
