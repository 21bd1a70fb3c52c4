// What may go away while requests flow: controllers, the API server.
import test from "ava";
import { disturbingTest } from "../../kit/cluster-test.ts";
import { applyObjects, getObject, kubectl } from "../../kit/kubectl.ts";
import { installMesh, rollout } from "../../kit/mesh.ts";
import { crash } from "../../kit/node-program.ts";
import { withCondition } from "../../kit/pods.ts";
import { appBDeployment, faultOf, job, meshed, service, underLoad } from "../../kit/workloads.ts";
import type { LoadSummary } from "../../kit/workloads.ts";
import { eventually } from "../../kit/eventually.ts";

test.before(async (t) => {
  t.timeout(300_000);
  await installMesh();
});

const pace = { ratePerS: 50, durationS: 25 };

disturbingTest(
  "every controller killed under load: no request fails, and they come back",
  async (t, { name }) => {
    const loaded = await underLoad(name, pace, async () => {
      const pods = ["pod", "--selector=app.kubernetes.io/name=signet-controller"];
      const now = ["--grace-period=0", "--force"];
      await kubectl(["delete", ...pods, "--namespace=signet-system", ...now]);
    });
    t.is(faultOf(loaded, pace), "");
    await rollout("statefulset/signet-controller", "signet-system");
  },
  meshed,
);

if (process.env["SIGNET_TEST_RIG"] !== undefined) {
  disturbingTest(
    "the API server that crashes comes back with what it knew",
    async (t, { name }) => {
      const settings = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "kept" } };
      await applyObjects([settings], name);
      await crash("kube-apiserver");
      const kept = await eventually("the object is still there", () =>
        getObject("configmap", "kept", name),
      );
      t.is(kept.metadata.name, "kept");
    },
  );

  disturbingTest(
    "the API server crashes under load: no request fails",
    async (t, { name }) => {
      // kubectl exec goes through the API server: the load must not hang on it.
      t.is(faultOf(await loadWithin(name), pace), "");
    },
    meshed,
  );
}

/** The load as the pod's own command, its summary read from the log afterwards. */
async function loadWithin(namespace: string): Promise<LoadSummary> {
  await applyObjects([appBDeployment(15), service("app-b")], namespace);
  await rollout("deployment/app-b", namespace);
  const args = [
    "--json",
    `--rate=${pace.ratePerS}`,
    `--duration=${pace.durationS}`,
    "--concurrency=64",
  ];
  const loading = job("load", { args: [...args, "http://app-b/hello"] });
  await applyObjects([loading], namespace);
  await eventually("the load has begun", async () => {
    const { status } = await getObject("job", "load", namespace);
    return status?.ready === 1 ? true : null;
  });
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  await crash("kube-apiserver");
  await withCondition("job", namespace, "load", "Complete");
  const log = ["logs", "job/load", `--namespace=${namespace}`, "--container=load"];
  return JSON.parse(await kubectl(log)) as LoadSummary;
}
