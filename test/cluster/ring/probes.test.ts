// Kubelet has no identity. Its probes work under STRICT all the same, and open nothing else.
import test from "ava";
import { clusterTest } from "../kit/cluster-test.ts";
import { eventually } from "../kit/eventually.ts";
import { applyObjects, getObject, kubectl } from "../kit/kubectl.ts";
import { installMesh } from "../kit/mesh.ts";
import { readyPod } from "../kit/pods.ts";
import { client, meshed, pod, policy, service, statusOf } from "../kit/workloads.ts";

test.before(async (t) => {
  t.timeout(300_000);
  await installMesh();
});

const every = { periodSeconds: 1, failureThreshold: 2 };
const health = `const server = require("http2").createServer();
server.on("stream", (stream) => {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]));
});
server.listen(9000);
require("net").createServer((socket) => socket.end()).listen(9001);`;

const probed: readonly (readonly [string, object])[] = [
  [
    "HTTP",
    pod("probed", "signet/app-b", {
      container: {
        ports: [{ name: "web", containerPort: 8080 }],
        startupProbe: {
          httpGet: { path: "/healthz", port: "web" },
          ...every,
          failureThreshold: 30,
        },
        readinessProbe: { httpGet: { path: "/healthz", port: 8080 }, ...every },
        livenessProbe: { httpGet: { path: "/healthz", port: "web" }, ...every },
      },
    }),
  ],
  [
    "TCP and gRPC",
    pod("probed", "signet/client", {
      container: {
        command: ["node", "-e", health],
        startupProbe: { tcpSocket: { port: 9001 }, ...every, failureThreshold: 30 },
        readinessProbe: { grpc: { port: 9000 }, ...every },
        livenessProbe: { exec: { command: ["node", "-e", "0"] }, periodSeconds: 5 },
      },
    }),
  ],
];
for (const [title, object] of probed) {
  clusterTest(
    `${title} probes pass through a strict sidecar`,
    async (t, { name }) => {
      await applyObjects([policy("STRICT"), object], name);
      await readyPod(name, "probed");
      // Long enough for the liveness probe to have its say.
      await new Promise((resolve) => setTimeout(resolve, 6_000));
      const { status } = await getObject("pod", "probed", name);
      const containers = status.containerStatuses as { restartCount: number; ready: boolean }[];
      t.deepEqual(
        containers.map(({ restartCount, ready }) => [restartCount, ready]),
        [[0, true]],
      );
    },
    meshed,
  );
}

clusterTest(
  "a probe that fails is told as failed, and what is probed stays closed to strangers",
  async (t, { name }) => {
    const outside = `${name}-outside`;
    await kubectl(["create", "namespace", outside]);
    try {
      const failing = pod("failing", "signet/app-b", {
        container: { readinessProbe: { httpGet: { path: "/nothing", port: 8081 }, ...every } },
      });
      const sound = pod("app-b", "signet/app-b", {
        container: { readinessProbe: { httpGet: { path: "/healthz", port: 8080 }, ...every } },
      });
      await applyObjects([policy("STRICT"), failing, sound, service("app-b")], name);
      await eventually("the default account of the other namespace", async () =>
        getObject("serviceaccount", "default", outside),
      );
      await applyObjects([client], outside);
      await readyPod(outside, "client");
      await readyPod(name, "app-b");
      t.is(await statusOf(outside, `http://app-b.${name}/healthz`), 0);
      const { status } = await getObject("pod", "failing", name);
      const conditions = status.conditions as { type: string; status: string }[];
      t.is(conditions.find(({ type }) => type === "Ready")?.status, "False");
    } finally {
      await kubectl(["delete", "namespace", outside, "--wait=false"]);
    }
  },
  meshed,
);
