// A pod's spec as it is run here, and each refusal.
import test from "ava";
import type { KubernetesObject } from "../objects.ts";
import { readPodSpec } from "./pod-spec.ts";
import type { ContainerSpec } from "./pod-spec.ts";

const downward = {
  name: "web-1",
  namespace: "n",
  uid: "u-1",
  ip: "10.77.1.1",
  serviceAccount: "web",
};

function read(
  container: Record<string, unknown>,
  spec: Record<string, unknown> = {},
): ContainerSpec {
  const object: KubernetesObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web-1", namespace: "n" },
    spec: { containers: [{ name: "c", image: "signet/app-b", ...container }], ...spec },
  };
  return readPodSpec(object, downward).containers[0]!;
}

test("readPodSpec runs as nobody in particular, with no capability, unless asked", (t) => {
  t.like(read({}), {
    uid: 10_001,
    gid: 10_001,
    capabilities: [],
    readOnlyRoot: false,
    sidecar: false,
  });
  const security = {
    runAsUser: 1337,
    capabilities: { add: ["NET_ADMIN"] },
    readOnlyRootFilesystem: true,
  };
  t.like(read({ securityContext: security }), {
    uid: 1337,
    gid: 1337,
    capabilities: ["net_admin"],
    readOnlyRoot: true,
  });
});

test("readPodSpec takes the pod's user where the container names none", (t) => {
  const spec = { securityContext: { runAsUser: 5, runAsGroup: 6 } };
  t.like(read({}, spec), { uid: 5, gid: 6 });
  t.like(read({ securityContext: { runAsUser: 7 } }, spec), { uid: 7, gid: 6 });
});

test("readPodSpec reads the downward API, and gives the host's name as a cluster does", (t) => {
  const from = (name: string, fieldPath: string): unknown => ({
    name,
    valueFrom: { fieldRef: { fieldPath } },
  });
  const env = [
    from("A", "metadata.name"),
    from("B", "metadata.namespace"),
    from("C", "metadata.uid"),
    from("D", "status.podIP"),
    from("E", "spec.serviceAccountName"),
    { name: "F" },
  ];
  t.deepEqual(read({ env }).environment, {
    HOSTNAME: "web-1",
    A: "web-1",
    B: "n",
    C: "u-1",
    D: "10.77.1.1",
    E: "web",
    F: "",
  });
  t.is(read({ env: [{ name: "HOSTNAME", value: "own" }] }).environment["HOSTNAME"], "own");
});

test("readPodSpec expands variables that stand before", (t) => {
  const env = [
    { name: "A", value: "1" },
    { name: "B", value: "$(A)$(LATER)$$(A)" },
    { name: "LATER", value: "$(toString)" },
  ];
  t.like(read({ env }).environment, { B: "1$(LATER)$(A)", LATER: "$(toString)" });
});

test("readPodSpec resolves a probe's port by its name", (t) => {
  const ports = [{ name: "http", containerPort: 8080 }];
  const { readinessProbe } = read({ ports, readinessProbe: { httpGet: { port: "http" } } });
  t.deepEqual(readinessProbe, {
    kind: "http",
    path: "/",
    port: 8080,
    command: [],
    delayMs: 0,
    periodMs: 10_000,
    timeoutMs: 1_000,
    failureThreshold: 3,
  });
});

const impossible: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
  ["an image that is none of ours", { image: "nginx:1.27" }, /Cannot run image "nginx:1.27"/],
  ["an image called like a method", { image: "constructor" }, /Cannot run image "constructor"/],
  ["another command", { command: ["sh"] }, /"command" of container "c"/],
  [
    "a volume that there is not",
    { volumeMounts: [{ name: "v", mountPath: "/run/v" }] },
    /volume "v", which the pod has not/,
  ],
  [
    "a mount over the system",
    { volumeMounts: [{ name: "v", mountPath: "/usr/v" }] },
    /a mount at "\/usr\/v"/,
  ],
  [
    "a mount over the code",
    { volumeMounts: [{ name: "v", mountPath: "/run/signet-code" }] },
    /a mount at "\/run\/signet-code"/,
  ],
  [
    "root that must not be root",
    { securityContext: { runAsUser: 0, runAsNonRoot: true } },
    /to run as root and not as root/,
  ],
  [
    "a variable from elsewhere",
    { env: [{ name: "A", valueFrom: { secretKeyRef: {} } }] },
    /env "A" from something else/,
  ],
  [
    "an unknown field",
    { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "x" } } }] },
    /env "A" from field "x"/,
  ],
  [
    "a probe of an unnamed port",
    { livenessProbe: { tcpSocket: { port: "x" } } },
    /port "x", which container "c" has not/,
  ],
  [
    "a probe's path with a line in it",
    { livenessProbe: { httpGet: { port: 1, path: "/\r\nx" } } },
    /a probe of the path/,
  ],
];
for (const [what, container, message] of impossible) {
  test(`readPodSpec refuses ${what}`, (t) => {
    t.throws(() => read(container), { code: "not_possible_here", message });
  });
}

test("readPodSpec refuses the host's network, and a pod without containers", (t) => {
  const code = "not_possible_here";
  t.throws(() => read({}, { hostNetwork: true }), { code, message: /"?n\/web-1"?: hostNetwork/ });
  t.throws(() => read({}, { containers: [] }), { code, message: /without containers/ });
});
