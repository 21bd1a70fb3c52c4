// The mesh on a real cluster: real admission, real kubelets, real tokens.
import test from "ava";
import { clusterTest } from "../kit/cluster-test.ts";
import { eventually } from "../kit/eventually.ts";
import { applyObjects, getObject, kubectl, tryKubectl } from "../kit/kubectl.ts";
import type { ApiObject } from "../kit/kubectl.ts";
import { applyMesh, installMesh } from "../kit/mesh.ts";
import { readyPod, withCondition } from "../kit/pods.ts";
import { appB, client, job, meshed, pod, policy, service, statusOf } from "../kit/workloads.ts";

test.before(async (t) => {
  t.timeout(300_000);
  await installMesh();
});

test("install is clean, twice", async (t) => {
  const said = await applyMesh();
  t.notRegex(said, /error|conflict/i);
  const controller = await getObject("statefulset", "signet-controller", "signet-system");
  t.is(controller["status"].readyReplicas, 2);
});

clusterTest(
  "a pod of a labelled namespace gets its sidecar, with an identity of its own",
  async (t, { name }) => {
    await applyObjects([appB], name);
    const { metadata, spec } = await readyPod(name, "app-b");
    t.is(metadata.annotations?.["signet.dev/status"], "injected");
    const containers = spec["initContainers"] as Record<string, unknown>[];
    t.deepEqual(
      containers.map((container) => container["name"]),
      ["proxy-init", "proxy"],
    );
    t.is(containers[1]?.["restartPolicy"], "Always");
    const logs = await kubectl(["logs", "app-b", `--namespace=${name}`, "--container=proxy"]);
    t.regex(logs, new RegExp(`spiffe://cluster.local/ns/${name}/sa/default`));
  },
  meshed,
);

clusterTest(
  "callers in the mesh speak mutual TLS; strict refuses all others, and permit takes it back",
  async (t, { name }) => {
    const outside = `${name}-outside`;
    await kubectl(["create", "namespace", outside]);
    try {
      await applyObjects([appB, service("app-b"), client], name);
      await eventually("the default account of the other namespace", async () =>
        getObject("serviceaccount", "default", outside),
      );
      await applyObjects([client], outside);
      for (const [namespace, which] of [
        [name, "app-b"],
        [name, "client"],
        [outside, "client"],
      ] as const) {
        await readyPod(namespace, which);
      }
      const url = `http://app-b.${name}/hello`;
      const status = (from: string, wanted: number): Promise<number> =>
        eventually(`${from} gets ${wanted}`, async () => {
          const found = await statusOf(from, url);
          return found === wanted ? found : null;
        });
      t.is(await status(name, 200), 200);
      t.is(await status(outside, 200), 200);
      await applyObjects([policy("STRICT")], name);
      t.is(await status(outside, 0), 0);
      t.is(await statusOf(name, url), 200, "callers of the mesh go on");
      await withCondition("peerauthentication", name, "default", "Accepted");
      await applyObjects([policy("PERMISSIVE")], name);
      t.is(await status(outside, 200), 200);
      const logs = await kubectl(["logs", "app-b", `--namespace=${name}`, "--container=proxy"]);
      t.regex(logs, new RegExp(`"src.identity":"spiffe://cluster.local/ns/${name}/sa/default"`));
    } finally {
      await kubectl(["delete", "namespace", outside, "--wait=false"]);
    }
  },
  meshed,
);

clusterTest(
  "a Job in the mesh ends",
  async (t, { name }) => {
    const once = job("once", { command: ["node", "-e", "console.log('done')"] });
    await applyObjects([once], name);
    await withCondition("job", name, "once", "Complete");
    t.regex(await kubectl(["logs", "job/once", `--namespace=${name}`, "-c", "once"]), /done/);
  },
  meshed,
);

const refused: readonly (readonly [string, object, RegExp])[] = [
  [
    "on the host's network",
    pod("a", "signet/client", { spec: { hostNetwork: true } }),
    /host network/,
  ],
  [
    "as the sidecar's user",
    pod("a", "signet/client", { spec: { securityContext: { runAsUser: 1337 } } }),
    /user 1337/,
  ],
  [
    "with an annotation that does not parse",
    pod("a", "signet/client", {
      metadata: { name: "a", annotations: { "signet.dev/svid-lifetime": "soon" } },
    }),
    /svid-lifetime/,
  ],
];
for (const [title, object, reason] of refused) {
  clusterTest(
    `attack-30 a pod ${title} is refused with a sentence that says why`,
    async (t, { name }) => {
      const create = ["create", "--filename=-", `--namespace=${name}`];
      const { exitCode, stderr } = await tryKubectl(create, { input: JSON.stringify(object) });
      t.not(exitCode, 0);
      t.regex(stderr, reason);
    },
    meshed,
  );
}

clusterTest(
  "attack-35 a running pod keeps its sidecar: mark, opt-out and image cannot be changed",
  async (t, { name }) => {
    await applyObjects([client], name);
    await readyPod(name, "client");
    const within = `--namespace=${name}`;
    for (const change of [
      ["annotate", "pod/client", "signet.dev/status-", within],
      ["label", "pod/client", "signet.dev/inject=disabled", within],
      ["set", "image", "pod/client", "proxy=signet/client", within],
    ]) {
      const { exitCode, stderr } = await tryKubectl(change);
      t.not(exitCode, 0, change.join(" "));
      t.regex(stderr, /Cannot change/);
    }
    await kubectl(["label", "pod/client", "colour=blue", within]);
  },
  meshed,
);

clusterTest("the trust bundle is put back where somebody takes it away", async (t, { name }) => {
  const bundle = (): Promise<ApiObject> => getObject("configmap", "signet-trust-bundle", name);
  await kubectl(["label", "namespace", name, "signet.dev/inject=enabled"]);
  const first = await eventually("the bundle is there", bundle);
  await kubectl(["delete", "configmap", "signet-trust-bundle", `--namespace=${name}`]);
  const again = await eventually("the bundle is there again", bundle);
  t.deepEqual(again["data"], first["data"]);
  t.not(again.metadata.uid, first.metadata.uid);
});
