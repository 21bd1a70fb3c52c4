// The sidecar in its classic form, as clusters before 1.29 need it: an ordinary container that has to be
// there before the application and after it. The injector is switched for the time of this file.
import test from "ava";
import { clusterTest } from "../../kit/cluster-test.ts";
import { eventually } from "../../kit/eventually.ts";
import { applyObjects, execute, getObject, kubectl } from "../../kit/kubectl.ts";
import { installMesh, rollout } from "../../kit/mesh.ts";
import { readyPod } from "../../kit/pods.ts";
import {
  appB,
  appBDeployment,
  client,
  faultOf,
  load,
  meshed,
  pod,
  policy,
} from "../../kit/workloads.ts";
import { service, statusOf } from "../../kit/workloads.ts";

test.before(async (t) => {
  t.timeout(300_000);
  await installMesh();
  await useForm("SIGNET_SIDECAR_FORM=classic");
});

test.after.always("the native form again", () => useForm("SIGNET_SIDECAR_FORM-"));

async function useForm(variable: string): Promise<void> {
  const deployment = ["deployment/signet-injector", "--namespace=signet-system"];
  await kubectl(["set", "env", ...deployment, variable]);
  await rollout("deployment/signet-injector", "signet-system");
}

interface ContainerStatus {
  readonly name: string;
  readonly restartCount: number;
  readonly ready: boolean;
  readonly state: { readonly terminated?: { readonly exitCode: number } };
}

async function statusesOf(
  namespace: string,
  name: string,
): Promise<ReadonlyMap<string, ContainerStatus>> {
  const { status } = await getObject("pod", name, namespace);
  const statuses = (status.containerStatuses ?? []) as ContainerStatus[];
  return new Map(statuses.map((each) => [each.name, each]));
}

/** Calls app-b once at its start, and once more some time after it was told to stop. Ends if the first fails. */
const firstAndLastWord = `const call = (path) => new Promise((resolve, reject) =>
  require("http").get("http://app-b" + path, { agent: false }, (response) =>
    response.resume().on("end", () => resolve(response.statusCode))).on("error", reject));
process.on("SIGTERM", () => setTimeout(() => call("/last").then(() => process.exit(0)), 2000));
call("/first").then(() => setInterval(() => 0, 1000), () => process.exit(2));`;

clusterTest(
  "attack-32 a classic sidecar is ready before the application starts, and there when it stops",
  async (t, { name }) => {
    await applyObjects([policy("STRICT"), appB, service("app-b")], name);
    await readyPod(name, "app-b");
    const speaker = pod("speaker", "signet/client", {
      container: { command: ["node", "-e", firstAndLastWord] },
      spec: { terminationGracePeriodSeconds: 20, restartPolicy: "Never" },
    });
    await applyObjects([speaker], name);
    const { spec } = await readyPod(name, "speaker");
    const names = (list: string): readonly string[] =>
      ((spec[list] ?? []) as { name: string }[]).map((each) => each.name);
    t.deepEqual(
      [names("initContainers"), names("containers")],
      [["proxy-init"], ["proxy", "speaker"]],
    );
    const wordAtAppB = async (word: string): Promise<true | null> => {
      const logs = ["logs", "app-b", `--namespace=${name}`, "--container=proxy"];
      const id = `spiffe://cluster.local/ns/${name}/sa/default`;
      const lines = (await kubectl(logs)).split("\n");
      const is = lines.some((line) => line.includes(`"path":"/${word}"`) && line.includes(id));
      return is ? true : null;
    };
    t.true(await eventually("the first word was heard", () => wordAtAppB("first")));
    t.is((await statusesOf(name, "speaker")).get("speaker")?.state.terminated, undefined);
    await kubectl(["delete", "pod", "speaker", `--namespace=${name}`, "--timeout=30s"]);
    t.true(await eventually("the last word was heard", () => wordAtAppB("last"), 10_000));
  },
  meshed,
);

clusterTest(
  "a classic sidecar that ends is started again, and the pod goes on",
  async (t, { name }) => {
    await applyObjects([policy("STRICT"), appB, service("app-b"), client], name);
    await readyPod(name, "app-b");
    await readyPod(name, "client");
    const url = `http://app-b.${name}/hello`;
    const answers = async (): Promise<true | null> =>
      (await statusOf(name, url)) === 200 ? true : null;
    await eventually("app-b answers", answers);
    const sidecar = { namespace: name, pod: "client", container: "proxy" };
    await execute(sidecar, ["node", "-e", "process.kill(1)"]);
    const again = await eventually("the sidecar is back", async () => {
      const proxy = (await statusesOf(name, "client")).get("proxy");
      return proxy?.restartCount === 1 && proxy.ready ? proxy : null;
    });
    t.is(again.restartCount, 1);
    t.true(await eventually("app-b answers again", answers));
    t.is((await statusesOf(name, "client")).get("client")?.restartCount, 0);
  },
  meshed,
);

const pace = { ratePerS: 50, durationS: 20 };

clusterTest(
  "pods with classic sidecars are replaced under load: no request fails",
  async (t, { name }) => {
    await applyObjects([appBDeployment(15), service("app-b"), client], name);
    await rollout("deployment/app-b", name);
    await readyPod(name, "client");
    const url = `http://app-b.${name}/hello`;
    await eventually("app-b answers", async () =>
      (await statusOf(name, url)) === 200 ? true : null,
    );
    const loaded = load(name, url, pace.ratePerS, pace.durationS);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await kubectl(["rollout", "restart", "deployment/app-b", `--namespace=${name}`]);
    await rollout("deployment/app-b", name);
    t.is(faultOf(await loaded, pace), "");
  },
  meshed,
);
