// The mesh's root is replaced on a real cluster, under load and with the controllers killed meanwhile; and a
// sidecar that nobody sees holds it up, by name.
import { X509Certificate } from "node:crypto";
import test from "ava";
import { disturbingTest } from "../../kit/cluster-test.ts";
import { eventually } from "../../kit/eventually.ts";
import { applyObjects, execute, getObject, kubectl } from "../../kit/kubectl.ts";
import { installMesh, rollout } from "../../kit/mesh.ts";
import { idlePod, readyPod, withCondition } from "../../kit/pods.ts";
import { signet, signetJson } from "../../kit/signet.ts";
import {
  appBDeployment,
  client,
  faultOf,
  load,
  meshed,
  service,
  statusOf,
} from "../../kit/workloads.ts";

test.before(async (t) => {
  t.timeout(300_000);
  await installMesh();
});

/** A rotation takes some 10 s of it. */
const pace = { ratePerS: 50, durationS: 40 };
const rotateMs = 240_000;

interface State {
  readonly roots: readonly { readonly fingerprint: string }[];
  readonly rotation: { readonly step: string } | null;
  readonly last: { readonly end: string } | null;
}

const state = async (): Promise<State> => (await signetJson(["ca", "rotate", "--status"])) as State;
const secret = async (): Promise<Readonly<Record<string, string>>> =>
  (await getObject("secret", "signet-ca", "signet-system"))["data"] as Record<string, string>;
const killControllers = async (): Promise<void> => {
  const pods = ["pod", "--selector=app.kubernetes.io/name=signet-controller"];
  const now = ["--grace-period=0", "--force"];
  await kubectl(["delete", ...pods, "--namespace=signet-system", ...now]);
};

disturbingTest(
  "a root is replaced under load, its controllers killed on the way: no request fails, and a former pin leads on",
  async (t, { name }) => {
    t.timeout(400_000);
    await applyObjects([appBDeployment(15), service("app-b"), client], name);
    await withCondition("deployment", name, "app-b", "Available");
    await readyPod(name, "client");
    const url = `http://app-b.${name}/hello`;
    await eventually("app-b answers", async () =>
      (await statusOf(name, url)) === 200 ? true : null,
    );
    const before = await secret();
    const loading = load(name, url, pace.ratePerS, pace.durationS);
    const rotating = signet(["ca", "rotate", "root", "--timeout", "230s"], { timeoutMs: rotateMs });
    await eventually("the rotation has begun", async () => (await state()).rotation);
    await killControllers();
    const { exitCode, stdout, stderr } = await rotating;
    t.is(exitCode, 0, `${stdout} ${stderr}`);
    t.is(faultOf(await loading, pace), "");
    t.log(stderr, stdout);

    const after = await secret();
    const root = Buffer.from(after["root.crt"]!, "base64").toString();
    t.is(root.split("BEGIN CERTIFICATE").length, 2, "one root is trusted");
    t.not(after["root.crt"], before["root.crt"]);
    for (const key of ["root.key", "intermediate.key"]) {
      t.false(JSON.stringify(after).includes(before[key]!), `the former ${key} is gone`);
    }
    const hooks = await getObject("mutatingwebhookconfiguration", "signet-injector", "");
    for (const { clientConfig } of hooks["webhooks"] as { clientConfig: { caBundle: string } }[]) {
      t.is(Buffer.from(clientConfig.caBundle, "base64").toString(), root);
    }
    t.is(new X509Certificate(root).checkIssued(new X509Certificate(root)), true);

    // Its spec pins the former root: the sidecar starts anew, and goes by the link.
    const sidecar = { namespace: name, pod: "client", container: "proxy" };
    await execute(sidecar, ["node", "-e", "process.kill(1, 'SIGTERM')"]).catch(() => undefined);
    await eventually("the sidecar has started anew", async () => {
      const pod = await getObject("pod", "client", name);
      const statuses = [
        ...((pod["status"]?.initContainerStatuses ?? []) as ContainerStatus[]),
        ...((pod["status"]?.containerStatuses ?? []) as ContainerStatus[]),
      ];
      return statuses.some((each) => each.name === "proxy" && each.restartCount > 0) ? true : null;
    });
    await readyPod(name, "client");
    await eventually("it calls", async () => ((await statusOf(name, url)) === 200 ? true : null));
    // And pods that come find webhooks that answer.
    await applyObjects([idlePod("later")], name);
    await readyPod(name, "later");
    await rollout("statefulset/signet-controller", "signet-system");
  },
  meshed,
);

interface ContainerStatus {
  readonly name: string;
  readonly restartCount: number;
}

disturbingTest(
  "a sidecar that no controller sees holds a rotation up, by name, and it can be aborted",
  async (t, { name }) => {
    t.timeout(200_000);
    const silent = idlePod("silent") as { metadata: object };
    const annotations = { "signet.dev/status": "injected" };
    const metadata = { ...silent.metadata, annotations };
    await applyObjects([{ ...silent, metadata }], name);
    await readyPod(name, "silent");
    const before = await state();
    const held = await signet(["ca", "rotate", "root", "--timeout", "8s"], { timeoutMs: 60_000 });
    t.is(held.exitCode, 1);
    t.regex(
      held.stderr,
      new RegExp(`${name}/silent: no controller is connected with its sidecar, since 20`),
    );
    t.is((await state()).rotation?.step, "staged");
    const aborted = await signet(["ca", "rotate", "--abort"], { timeoutMs: 120_000 });
    t.is(aborted.exitCode, 0, `${aborted.stdout} ${aborted.stderr}`);
    t.deepEqual((await state()).roots, before.roots);
    t.like((await state()).last, { end: "aborted" });
  },
);
