// Pods that want more than is theirs: another's token, another's address, the sidecar's own user.
import test from "ava";
import type { ExecutionContext } from "ava";
import { clusterTest, disturbingTest } from "../../kit/cluster-test.ts";
import { eventually } from "../../kit/eventually.ts";
import { applyObjects, execute, getObject, kubectl, tryKubectl } from "../../kit/kubectl.ts";
import type { ApiObject } from "../../kit/kubectl.ts";
import { installMesh, rollout } from "../../kit/mesh.ts";
import { readyPod } from "../../kit/pods.ts";
import { appB, client, meshed, pod, service, statusOf } from "../../kit/workloads.ts";

test.before(async (t) => {
  t.timeout(300_000);
  await installMesh();
});

const idle = { args: ["--idle"] };
const sidecarImage = { image: "signet/client", imagePullPolicy: "IfNotPresent" };

const refused: readonly (readonly [string, object, RegExp])[] = [
  [
    "attack-30 whose container runs as the sidecar's user",
    pod("a", "signet/client", { container: { securityContext: { runAsUser: 1337 } } }),
    /container "a" runs as user 1337/,
  ],
  [
    "attack-30 whose init container runs as the sidecar's user",
    pod("a", "signet/client", {
      spec: {
        initContainers: [{ name: "first", ...sidecarImage, securityContext: { runAsUser: 1337 } }],
      },
    }),
    /container "first" runs as user 1337/,
  ],
  [
    "attack-35 that brings a sidecar of its own",
    pod("a", "signet/client", {
      spec: { initContainers: [{ name: "proxy", ...sidecarImage, restartPolicy: "Always" }] },
    }),
    /names reserved for the sidecar are taken/,
  ],
  [
    "attack-35 that mounts the sidecar's token",
    pod("a", "signet/client", {
      container: { volumeMounts: [{ name: "signet-token", mountPath: "/stolen" }] },
      spec: { volumes: [{ name: "signet-token", emptyDir: {} }] },
    }),
    /signet-token/,
  ],
  [
    "attack-29 that takes a port out of the mesh",
    pod("a", "signet/client", {
      metadata: { name: "a", annotations: { "signet.dev/exclude-inbound-ports": "8080" } },
    }),
    /Cannot inject .*cannot exclude port 8080/,
  ],
  [
    "attack-33 on the host's network that asks by itself",
    pod("a", "signet/client", {
      spec: { hostNetwork: true },
      metadata: { name: "a", labels: { "service-mesh": "enabled" } },
    }),
    /host network/,
  ],
];
clusterTest(
  "a pod that reaches for the sidecar's place is refused with a sentence that says why",
  async (t, { name }) => {
    const create = ["create", "--filename=-", `--namespace=${name}`];
    for (const [title, object, reason] of refused) {
      const { exitCode, stderr } = await tryKubectl(create, { input: JSON.stringify(object) });
      t.not(exitCode, 0, title);
      t.regex(stderr, reason, title);
    }
  },
  meshed,
);

clusterTest(
  "attack-35 a mark alone makes no sidecar: the pod gets one",
  async (t, { name }) => {
    const marked = pod("client", "signet/client", {
      container: idle,
      metadata: { name: "client", annotations: { "signet.dev/status": "injected" } },
    });
    await applyObjects([marked], name);
    const { spec } = await getObject("pod", "client", name);
    t.deepEqual(
      (spec["initContainers"] as { name: string }[]).map((each) => each.name),
      ["proxy-init", "proxy"],
    );
  },
  meshed,
);

clusterTest(
  "attack-30 a container for debugging gets in, but not as the sidecar's user nor with its token",
  async (t, { name }) => {
    await applyObjects([client], name);
    await readyPod(name, "client");
    const debug = (container: string, more: object): Promise<{ stderr: string }> => {
      const ephemeral = { name: container, ...sidecarImage, ...idle, ...more };
      const change = JSON.stringify({ spec: { ephemeralContainers: [ephemeral] } });
      const patch = ["patch", "pod/client", `--namespace=${name}`, `--patch=${change}`];
      return tryKubectl([...patch, "--subresource=ephemeralcontainers"]);
    };
    const asSidecar = await debug("one", { securityContext: { runAsUser: 1337 } });
    t.regex(asSidecar.stderr, /Cannot change pod "client": container "one" runs as user 1337/);
    const mounts = [{ name: "signet-token", mountPath: "/stolen" }];
    const withToken = await debug("two", { volumeMounts: mounts });
    t.regex(withToken.stderr, /Cannot change pod "client": container "two" mounts "signet-token"/);
    t.is((await debug("three", {})).stderr, "");
  },
  meshed,
);

clusterTest(
  "attack-09 attack-10 a token is worth nothing in another pod's hands, nor one for another audience",
  async (t, { name }) => {
    await applyObjects([client], name);
    const victim = await readyPod(name, "client");
    const read = `process.stdout.write(require("fs").readFileSync(process.env.SIGNET_TOKEN_FILE))`;
    const sidecar = { namespace: name, pod: "client", container: "proxy" };
    const { stdout: token } = await execute(sidecar, ["node", "-e", read]);
    t.regex(token, /^ey/);
    const stolen = { secret: { secretName: "stolen" } };
    const foreign = { projected: { sources: [projected("another")] } };
    const own = { projected: { sources: [projected("signet-ca")] } };
    await applyObjects(
      [
        {
          apiVersion: "v1",
          kind: "Secret",
          metadata: { name: "stolen" },
          stringData: { token },
        },
        impostor("thief", victim, stolen),
        impostor("stranger", victim, foreign),
        impostor("itself", victim, own),
      ],
      name,
    );
    const said = (which: string, wanted: RegExp): Promise<string> =>
      eventually(`${which} is told`, async () => {
        const logs = await kubectl(["logs", which, `--namespace=${name}`]);
        return wanted.test(logs) ? logs : null;
      });
    // The very same pod with a token of its own is served: what is refused is the token.
    await said("itself", /certificate issued/);
    const thief = await said("thief", /certificate not issued/);
    const stranger = await said("stranger", /certificate not issued/);
    for (const logs of [thief, stranger]) t.notRegex(logs, /certificate issued/);
    const told = (await controllerLogs()).split("\n");
    for (const [which, reason] of [
      ["thief", "address_mismatch"],
      ["stranger", "token_audience_wrong"],
    ] as const) {
      const { podIP } = (await getObject("pod", which, name))["status"];
      const from = told.filter((line) => line.includes(`${podIP}","msg":"certificate refused"`));
      t.true(from.length > 0, which);
      t.true(
        from.every((line) => line.includes(`"reason":"${reason}"`)),
        which,
      );
    }
  },
  meshed,
);

function projected(audience: string): object {
  return { serviceAccountToken: { audience, expirationSeconds: 600, path: "token" } };
}

/** The sidecar's own program outside of the mesh, told all that the victim's sidecar was told. */
function impostor(name: string, victim: ApiObject, token: object): object {
  const containers = victim["spec"].initContainers as {
    name: string;
    env: { name: string; value?: string }[];
  }[];
  const { env } = containers.find((each) => each.name === "proxy")!;
  const mounts = [
    { name: "token", mountPath: "/var/run/secrets/signet", readOnly: true },
    { name: "trust", mountPath: "/var/run/signet/trust", readOnly: true },
  ];
  return pod(name, "signet/proxy", {
    container: { env, volumeMounts: mounts },
    spec: {
      volumes: [
        { name: "token", ...token },
        { name: "trust", configMap: { name: "signet-trust-bundle" } },
      ],
    },
    metadata: { name, labels: { "signet.dev/inject": "disabled" } },
  });
}

function controllerLogs(): Promise<string> {
  const controllers = ["--selector=app.kubernetes.io/name=signet-controller", "--tail=-1"];
  return kubectl(["logs", ...controllers, "--namespace=signet-system"]);
}

clusterTest(
  "attack-54 who claims another pod's address gets none of its requests, and turns none to plaintext",
  async (t, { name }) => {
    await applyObjects([appB, service("app-b"), client], name);
    const { status } = await readyPod(name, "app-b");
    await readyPod(name, "client");
    const address = status.podIP as string;
    const url = `http://app-b.${name}/hello`;
    await eventually("app-b answers", async () =>
      (await statusOf(name, url)) === 200 ? true : null,
    );
    await claim(name, address);
    // The mesh has heard of the claim once its Service has an address that is answered.
    const claimed = await eventually("the claim is known", async () => {
      const answered = await statusOf(name, `http://claim.${name}/hello`);
      return answered === 0 ? null : answered;
    });
    t.true([200, 503].includes(claimed), String(claimed));
    for (const each of [url, `http://${address}:8080/hello`, url]) {
      t.is(await statusOf(name, each), 200, each);
    }
    await noPlaintext(t, name);
  },
  meshed,
);

/** A pod without a sidecar that says it had the address, and a Service whose endpoint it is. */
async function claim(namespace: string, address: string): Promise<void> {
  const claimant = pod("claimant", "signet/client", {
    spec: { schedulerName: "nobody" },
    metadata: { name: "claimant", labels: { "signet.dev/inject": "disabled" } },
  });
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "claim-0", labels: { "kubernetes.io/service-name": "claim" } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  };
  const { metadata } = service("claim") as { metadata: object };
  const bare = { apiVersion: "v1", kind: "Service", metadata, spec: { ports: [httpPort] } };
  await applyObjects([claimant, bare, slice], namespace);
  const status = { phase: "Running", podIP: address, podIPs: [{ ip: address }] };
  const patch = ["patch", "pod/claimant", `--namespace=${namespace}`, "--subresource=status"];
  await kubectl([...patch, "--type=merge", `--patch=${JSON.stringify({ status })}`]);
}

const httpPort = { name: "http", port: 80, targetPort: 8080 };

async function noPlaintext(t: ExecutionContext, namespace: string): Promise<void> {
  const log = ["logs", "app-b", `--namespace=${namespace}`, "--container=proxy", "--tail=-1"];
  const lines = await eventually("the requests are in the log", async () => {
    const all = (await kubectl(log)).split("\n").filter((line) => line.includes('"src.identity"'));
    return all.length >= 4 ? all : null;
  });
  t.deepEqual(
    lines.filter((line) => line.includes('"src.identity":"plaintext"')),
    [],
  );
}

disturbingTest(
  "attack-34 without an injector no pod of a labelled namespace is made, and all others are",
  async (t, { name }) => {
    const elsewhere = `${name}-outside`;
    const scale = (replicas: number): Promise<string> => {
      const to = ["scale", "deployment/signet-injector", `--replicas=${replicas}`];
      return kubectl([...to, "--namespace=signet-system"]);
    };
    const create = (namespace: string): ReturnType<typeof tryKubectl> =>
      tryKubectl(["create", "--filename=-", `--namespace=${namespace}`], {
        input: JSON.stringify(client),
      });
    await kubectl(["create", "namespace", elsewhere]);
    await scale(0);
    try {
      const pods = ["pod", "--selector=app.kubernetes.io/name=signet-injector"];
      await kubectl([
        "wait",
        "--for=delete",
        ...pods,
        "--namespace=signet-system",
        "--timeout=60s",
      ]);
      const { exitCode, stderr } = await create(name);
      t.not(exitCode, 0);
      t.regex(stderr, /failed calling webhook "namespace.inject.signet.dev"/);
      await eventually("the default account of the other namespace", () =>
        getObject("serviceaccount", "default", elsewhere),
      );
      t.is((await create(elsewhere)).exitCode, 0);
    } finally {
      await scale(2);
      await rollout("deployment/signet-injector", "signet-system");
      await kubectl(["delete", "namespace", elsewhere, "--wait=false"]);
    }
    const made = await eventually("pods are made again", async () =>
      (await create(name)).exitCode === 0 ? true : null,
    );
    t.true(made);
  },
  meshed,
);
