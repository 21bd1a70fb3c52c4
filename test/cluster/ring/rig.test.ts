// Proves the cluster itself, with nothing of the mesh but its images: what the other files of this
// folder take for granted.
import test from "ava";
import { clusterTest } from "../kit/cluster-test.ts";
import { eventually } from "../kit/eventually.ts";
import {
  applyObjects,
  createObject,
  execute,
  getObject,
  kubectl,
  listObjects,
} from "../kit/kubectl.ts";
import { idleContainer, idlePod, readyPod, withCondition } from "../kit/pods.ts";
import { appBDeployment, service } from "../kit/workloads.ts";

test("cluster has a node that is Ready", async (t) => {
  const nodes = await listObjects("nodes", "");
  t.true(nodes.length > 0);
  for (const { metadata } of nodes) await withCondition("node", "", metadata.name, "Ready");
});

test("cluster knows HTTPRoute", async (t) => {
  const crd = await getObject("crd", "httproutes.gateway.networking.k8s.io", "");
  t.true((crd["spec"].versions as { name: string }[]).some(({ name }) => name === "v1"));
});

clusterTest("pod of our image runs as its own user and resolves names", async (t, namespace) => {
  await applyObjects([idlePod("client")], namespace.name);
  await readyPod(namespace.name, "client");
  const client = { namespace: namespace.name, pod: "client" };
  const script = `require("dns").lookup(process.argv[1], (error, address) =>
    console.log(process.getuid(), error ? error.code : address))`;
  const { clusterIP } = (await getObject("service", "kubernetes", "default"))["spec"];
  for (const name of ["kubernetes.default", "kubernetes.default.svc.cluster.local."]) {
    const { stdout } = await execute(client, ["node", "-e", script, name]);
    t.is(stdout.trim(), `1000 ${clusterIP}`);
  }
});

clusterTest("service balances over the pods behind it", async (t, namespace) => {
  await applyObjects([appBDeployment(1), service("app-b"), idlePod("client")], namespace.name);
  await withCondition("deployment", namespace.name, "app-b", "Available");
  await readyPod(namespace.name, "client");
  const client = { namespace: namespace.name, pod: "client" };
  // A connection each, or one pod answers all.
  const script = `require("http").get("http://app-b/hello", { agent: false }, (response) => {
    response.pipe(process.stdout) })`;
  const seen = new Set<string>();
  await eventually("both pods have answered", async () => {
    const { exitCode, stdout } = await execute(client, ["node", "-e", script]);
    if (exitCode === 0) seen.add(stdout);
    return seen.size === 2 ? seen : null;
  });
  t.is(seen.size, 2);
});

clusterTest("projected token is accepted for its audience and no other", async (t, namespace) => {
  const token = { path: "token", audience: "signet-ca", expirationSeconds: 600 };
  const pod = idlePod("client", {
    containers: [
      idleContainer("client", {
        volumeMounts: [{ name: "token", mountPath: "/var/run/secrets/signet", readOnly: true }],
      }),
    ],
    volumes: [{ name: "token", projected: { sources: [{ serviceAccountToken: token }] } }],
  });
  await applyObjects([pod], namespace.name);
  const { metadata } = await readyPod(namespace.name, "client");
  const read = `process.stdout.write(require("fs").readFileSync("/var/run/secrets/signet/token"))`;
  const client = { namespace: namespace.name, pod: "client" };
  const { stdout } = await execute(client, ["node", "-e", read]);
  const review = (audience: string): object => ({
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenReview",
    spec: { token: stdout, audiences: [audience] },
  });
  const { status } = await createObject(review("signet-ca"), "");
  t.true(status.authenticated);
  t.is(status.user.username, `system:serviceaccount:${namespace.name}:default`);
  t.deepEqual(status.user.extra["authentication.kubernetes.io/pod-uid"], [metadata.uid]);
  const refused = await createObject(review("another"), "");
  t.not(refused["status"].authenticated, true);
});

clusterTest("job with a native sidecar ends", async (t, namespace) => {
  const job = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "job" },
    spec: {
      template: {
        spec: {
          restartPolicy: "Never",
          terminationGracePeriodSeconds: 1,
          initContainers: [idleContainer("sidecar", { restartPolicy: "Always" })],
          containers: [
            {
              name: "main",
              image: "node:26-bookworm-slim",
              imagePullPolicy: "IfNotPresent",
              command: ["node", "-p", "process.version"],
            },
          ],
        },
      },
    },
  };
  await applyObjects([job], namespace.name);
  await withCondition("job", namespace.name, "job", "Complete");
  const logs = await kubectl(["logs", "job/job", "-c", "main", `--namespace=${namespace.name}`]);
  t.regex(logs, /^v26\./);
});

clusterTest("image of each process has all that its source imports", async (t, namespace) => {
  const names = ["controller", "injector", "proxy", "proxy-init"];
  const pods = names.map((name) =>
    idlePod(name, {
      restartPolicy: "Never",
      containers: [{ name, image: `signet/${name}`, imagePullPolicy: "IfNotPresent" }],
    }),
  );
  await applyObjects(pods, namespace.name);
  for (const name of names) {
    // Without its surroundings each ends at once, and says what it lacks.
    const said = await eventually(`${name} has ended`, async () => {
      const pod = await getObject("pod", name, namespace.name);
      if (!["Failed", "Succeeded"].includes(pod["status"].phase)) return null;
      return kubectl(["logs", name, `--namespace=${namespace.name}`]);
    });
    t.not(said, "");
    t.notRegex(said, /ERR_MODULE_NOT_FOUND|Cannot find (?:module|package)/);
  }
});

clusterTest("proxy-init writes the redirect rules with two capabilities", async (t, namespace) => {
  const pod = idlePod("client", {
    initContainers: [
      {
        name: "proxy-init",
        image: "signet/proxy-init",
        imagePullPolicy: "IfNotPresent",
        securityContext: {
          runAsUser: 0,
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "NET_RAW"] },
          seccompProfile: { type: "RuntimeDefault" },
        },
      },
    ],
  });
  await applyObjects([pod], namespace.name);
  await readyPod(namespace.name, "client");
  const logs = ["logs", "client", "-c", "proxy-init", `--namespace=${namespace.name}`];
  t.regex(await kubectl(logs), /ipv4: rules written/);
});
