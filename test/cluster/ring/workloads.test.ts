// The kinds of workloads that people run, in the mesh as they are.
import { request } from "node:http";
import test from "ava";
import { clusterTest } from "../kit/cluster-test.ts";
import { eventually } from "../kit/eventually.ts";
import { applyObjects, getObject, kubectl } from "../kit/kubectl.ts";
import { installMesh, rollout } from "../kit/mesh.ts";
import { readyPod } from "../kit/pods.ts";
import {
  appB,
  client,
  faultOf,
  meshed,
  pod,
  policy,
  service,
  statusOf,
  underLoad,
} from "../kit/workloads.ts";

const localPort = { type: "NodePort", externalTrafficPolicy: "Local" };

test.before(async (t) => {
  t.timeout(300_000);
  await installMesh();
});

clusterTest(
  "a pod of a StatefulSet is reached by its own name, over mutual TLS",
  async (t, { name }) => {
    const set = {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name: "app-b" },
      spec: {
        serviceName: "app-b",
        selector: { matchLabels: { app: "app-b" } },
        template: {
          metadata: { labels: { app: "app-b" } },
          spec: {
            terminationGracePeriodSeconds: 6,
            containers: [{ name: "app-b", image: "signet/app-b", imagePullPolicy: "IfNotPresent" }],
          },
        },
      },
    };
    await applyObjects([set, service("app-b", { clusterIP: "None" }), client], name);
    await eventually("the pod is there", () => getObject("pod", "app-b-0", name));
    await readyPod(name, "app-b-0");
    await readyPod(name, "client");
    const url = `http://app-b-0.app-b.${name}.svc.cluster.local.:8080/hello`;
    const ask = async (): Promise<true | null> =>
      (await statusOf(name, url)) === 200 ? true : null;
    t.true(await eventually("it answers by its own name", ask));
    const told = await eventually("its access log names the caller", async () => {
      const logs = await kubectl(["logs", "app-b-0", `--namespace=${name}`, "--container=proxy"]);
      return /"src.identity":"([^"]+)"/.exec(logs)?.[1] ?? null;
    });
    t.is(told, `spiffe://cluster.local/ns/${name}/sa/default`);
  },
  meshed,
);

clusterTest(
  "an init container of the pod's own has the network, through the sidecar",
  async (t, { name }) => {
    await applyObjects([appB, service("app-b")], name);
    await readyPod(name, "app-b");
    const script = `require("http").get("http://app-b/hello", (response) =>
      process.exit(response.statusCode === 200 ? 0 : 1)).on("error", () => process.exit(2))`;
    const first = { name: "first", image: "signet/client", imagePullPolicy: "IfNotPresent" };
    const own = pod("late", "signet/client", {
      container: { args: ["--idle"] },
      spec: { initContainers: [{ ...first, command: ["node", "-e", script] }] },
    });
    await applyObjects([own], name);
    const { spec } = await readyPod(name, "late");
    t.deepEqual(
      (spec["initContainers"] as { name: string }[]).map((container) => container.name),
      ["proxy-init", "proxy", "first"],
    );
  },
  meshed,
);

const ingresses: readonly (readonly [string, object])[] = [
  ["a node port", { type: "NodePort" }],
  ["a node port that keeps the caller's address", localPort],
  ["a load balancer's node port without a load balancer", { type: "LoadBalancer" }],
];
clusterTest(
  "node ports lead into a meshed pod, and strangers no further than strict lets them",
  async (t, { name }) => {
    const address = process.env["SIGNET_TEST_NODE_ADDRESS"];
    if (address === undefined) {
      t.pass("only where the node's address is known");
      return;
    }
    const services = ingresses.map(([, spec], index) =>
      service(`ingress-${index}`, { selector: { app: "app-b" }, ...spec }),
    );
    await applyObjects([appB, ...services], name);
    await readyPod(name, "app-b");
    const ports = await Promise.all(
      ingresses.map(async (_, index) => {
        const { spec } = await getObject("service", `ingress-${index}`, name);
        return (spec.ports as { nodePort: number }[])[0]!.nodePort;
      }),
    );
    for (const [index, port] of ports.entries()) {
      const title = ingresses[index]![0];
      t.is(await eventually(`${title} answers`, () => get(address, port)), 200, title);
    }
    await applyObjects([policy("STRICT")], name);
    const first = async (): Promise<true | null> =>
      (await get(address, ports[0]!)) === null ? true : null;
    await eventually("strict is in force", first);
    const refused = await Promise.all(ports.map((port) => get(address, port)));
    t.deepEqual(refused, [null, null, null]);
  },
  meshed,
);

clusterTest(
  "pods replaced under load, one after the other: no request fails",
  async (t, { name }) => {
    // A rollout of two pods, one after the other, takes some 15 s of it.
    const pace = { ratePerS: 50, durationS: 25 };
    const loaded = await underLoad(name, pace, async () => {
      await kubectl(["rollout", "restart", "deployment/app-b", `--namespace=${name}`]);
      await rollout("deployment/app-b", name);
    });
    t.is(faultOf(loaded, pace), "");
  },
  meshed,
);

clusterTest("a pod that opts out is left alone", async (t, { name }) => {
  const opted = pod("client", "signet/client", {
    container: { args: ["--idle"] },
    metadata: { name: "client", labels: { "signet.dev/inject": "disabled" } },
  });
  await kubectl(["label", "namespace", name, "signet.dev/inject=enabled"]);
  await applyObjects([opted], name);
  const { spec } = await readyPod(name, "client");
  t.is(spec["initContainers"], undefined);
});

clusterTest("a pod asks for itself where its namespace does not", async (t, { name }) => {
  await kubectl(["label", "namespace", name, "signet.dev/inject=enabled"]);
  await eventually("the bundle is there", () =>
    getObject("configmap", "signet-trust-bundle", name),
  );
  await kubectl(["label", "namespace", name, "signet.dev/inject-"]);
  const asking = pod("client", "signet/client", {
    container: { args: ["--idle"] },
    metadata: { name: "client", labels: { "service-mesh": "enabled" } },
  });
  await applyObjects([asking], name);
  const { metadata } = await readyPod(name, "client");
  t.is(metadata.annotations?.["signet.dev/status"], "injected");
});

function get(host: string, port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const asked = request({ host, port, path: "/hello", timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? 200 : null);
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(null));
    asked.end();
  });
}
