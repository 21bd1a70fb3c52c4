// The demo as users deploy it, looked at and changed through the command line, and the tour's claims one
// by one: through real kubelets, real admission, real tokens.
import test from "ava";
import path from "node:path";
import { clusterTest } from "../../kit/cluster-test.ts";
import { applyObjects, kubectl } from "../../kit/kubectl.ts";
import { installMesh, rollout } from "../../kit/mesh.ts";
import { readyPod } from "../../kit/pods.ts";
import { signet, signetJson } from "../../kit/signet.ts";
import { appB } from "../../kit/workloads.ts";
import { checkout } from "../../settings.ts";

const demo = path.join(checkout, "k8s/demo");
const tourMs = 400_000;

test.before(async (t) => {
  t.timeout(300_000);
  await installMesh();
  await kubectl(["apply", "--server-side", "--kustomize", demo]);
  for (const [name, namespace] of [
    ["app-b-v1", "app-b"],
    ["app-b-v2", "app-b"],
    ["app-a", "app-a"],
  ] as const) {
    await rollout(`deployment/${name}`, namespace);
  }
});

test.after.always(async (t) => {
  t.timeout(120_000);
  await kubectl(["delete", "--kustomize", demo, "--ignore-not-found", "--timeout=90s"]);
});

test.serial("signet check finds a mesh that is well", async (t) => {
  const { isWell, findings } = (await signetJson(["check"])) as Check;
  t.true(isWell, JSON.stringify(findings, null, 2));
  const said = findings.map(({ what }) => what).join("\n");
  for (const expected of [
    /^Kubernetes v1\./m,
    /^signet-controller: 2 of 2 replicas ready/m,
    /^signet-controller-1 \(.*\) answers, its issuer lives /m,
    /^app-b\/app-b-v1-\S+ is ready, its certificate lives /m,
  ]) {
    t.regex(said, expected);
  }
});

clusterTest(
  "signet check names each pod that asks for a sidecar and has none",
  async (t, { name }) => {
    await applyObjects([appB], name);
    await readyPod(name, "app-b");
    await kubectl(["label", "namespace", name, "signet.dev/inject=enabled"]);
    const { isWell, findings } = (await signetJson(["check"])) as Check;
    t.false(isWell);
    const failed = findings.filter(({ verdict }) => verdict === "failed");
    t.deepEqual(
      failed.map(({ what }) => what),
      [`${name}/app-b has no sidecar, and asks for one: namespace ${name} is labelled`],
    );
    t.regex(failed[0]?.next ?? "", /kubectl rollout restart/);
  },
);

test.serial("signet certs lists and inspects what both controllers issued", async (t) => {
  const { certificates } = (await signetJson(["certs", "list"])) as {
    readonly certificates: readonly { id: string; namespace: string; pod: string }[];
  };
  const ids = new Set(certificates.map(({ id }) => id));
  for (const id of ["app-a/sa/app-a", "app-b/sa/app-b", "signet-system/sa/signet-controller"]) {
    t.true(ids.has(`spiffe://cluster.local/ns/${id}`), id);
  }
  const controllers = certificates.filter(({ pod }) => pod.startsWith("signet-controller-"));
  t.is(controllers.length, 2, "each replica's own log is asked");
  const { exitCode, stdout, stderr } = await signet(["certs", "inspect", "app-b/app-b-v1"]);
  t.is(exitCode, 0, stdout + stderr);
  t.regex(stdout, /spiffe:\/\/cluster\.local\/ns\/app-b\/sa\/app-b/);
});

test.serial("signet strict enforces, shows and permits through the kubeconfig", async (t) => {
  const mode = async (): Promise<string | undefined> => {
    const { namespaces } = (await signetJson(["strict", "status"])) as {
      readonly namespaces: readonly { namespace: string; mode: string | null }[];
    };
    return namespaces.find(({ namespace }) => namespace === "app-b")?.mode ?? undefined;
  };
  const enforced = await signet(["strict", "enforce", "app-b"]);
  t.regex(enforced.stdout, /^app-b is STRICT: /);
  t.regex(enforced.stderr, /On cluster "/);
  t.is(await mode(), "STRICT");
  t.is((await signet(["strict", "permit", "app-b"])).exitCode, 0);
  t.is(await mode(), "PERMISSIVE");
  const wrong = await signet(["strict", "enforce", "no-such"]);
  t.is(wrong.exitCode, 1);
  t.regex(wrong.stderr, /no such namespace/);
});

test.serial("the tour's claims hold on the cluster, one by one", async (t) => {
  t.timeout(tourMs);
  const { exitCode, stdout, stderr } = await signet(["tour"], { timeoutMs: tourMs });
  t.log(stdout);
  t.is(exitCode, 0, stdout + stderr);
  t.regex(stdout, /All \d+ claims confirmed/);
});

interface Check {
  readonly isWell: boolean;
  readonly findings: readonly {
    readonly what: string;
    readonly verdict: string;
    readonly next: string;
  }[];
}
