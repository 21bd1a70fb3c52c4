import test from "ava";
import { applyPatch } from "./apply-patch.ts";
import { decide } from "./decide.ts";
import type { DecideInput, Decision } from "./decide.ts";
import { config, inputFor, podWith } from "./fixture.ts";
import type { PodParts } from "./fixture.ts";
import { buildPatch } from "./patch.ts";
import type { Pod } from "./pod.ts";

const unlabelled = { namespaceLabels: {} };

function verdict(parts: PodParts, changes: Partial<DecideInput> = {}): string {
  const decision = decide(inputFor(podWith(parts), changes));
  return decision.kind === "inject" ? "inject" : `${decision.kind} ${decision.reason}`;
}

const rows: readonly [string, string, PodParts, Partial<DecideInput>?][] = [
  ["injects by the namespace's label", "inject", {}],
  ["injects by the pod's label", "inject", { labels: { "service-mesh": "enabled" } }, unlabelled],
  [
    "injects by the pod's own request",
    "inject",
    { annotations: { "signet.dev/inject": "enabled" } },
    unlabelled,
  ],
  ["skips what nobody asked for", "skip not_asked", {}, unlabelled],
  [
    "skips a namespace that says disabled",
    "skip not_asked",
    {},
    { namespaceLabels: { "signet.dev/inject": "disabled" } },
  ],
  [
    "skips a pod label that is not enabled",
    "skip not_asked",
    { labels: { "service-mesh": "true" } },
    unlabelled,
  ],
  ["skips an opt-out by label", "skip opted_out", { labels: { "signet.dev/inject": "disabled" } }],
  [
    "attack-33 skips an opt-out by annotation, and says so",
    "skip opted_out",
    { annotations: { "signet.dev/inject": "disabled" } },
  ],
  [
    "attack-34 skips kube-system",
    "skip system_namespace",
    { labels: { "service-mesh": "enabled" } },
    { namespace: "kube-system" },
  ],
  ["attack-34 skips signet-system", "skip system_namespace", {}, { namespace: "signet-system" }],
  [
    "attack-33 skips a static pod",
    "skip mirror_pod",
    { annotations: { "kubernetes.io/config.mirror": "x" } },
  ],
  [
    "refuses an opt-out that is misspelt",
    "refuse inject_value_unknown",
    { annotations: { "signet.dev/inject": "disable" } },
  ],
  [
    "refuses a request that is also an opt-out",
    "refuse asked_and_opted_out",
    { labels: { "service-mesh": "enabled", "signet.dev/inject": "disabled" } },
  ],
  [
    "refuses a request by label with an opt-out by annotation",
    "refuse asked_and_opted_out",
    {
      labels: { "signet.dev/inject": "enabled" },
      annotations: { "signet.dev/inject": "disabled" },
    },
  ],
  [
    "attack-33 refuses the host network in a mesh namespace",
    "refuse host_network",
    { spec: { hostNetwork: true } },
  ],
  [
    "attack-33 refuses the host network with a request",
    "refuse host_network",
    { labels: { "service-mesh": "enabled" }, spec: { hostNetwork: true } },
    unlabelled,
  ],
  [
    "refuses another operating system",
    "refuse os_unsupported",
    { spec: { os: { name: "windows" } } },
  ],
  [
    "attack-29 refuses an exclusion that is not on the list",
    "refuse port_not_excludable",
    { annotations: { "signet.dev/exclude-inbound-ports": "9090,8080" } },
  ],
  [
    "attack-29 refuses an exclusion of the other direction's list",
    "refuse port_not_excludable",
    { annotations: { "signet.dev/exclude-outbound-ports": "9090" } },
  ],
  [
    "attack-29 refuses an exclusion that does not parse",
    "refuse annotation_invalid",
    { annotations: { "signet.dev/exclude-outbound-ports": "443;8125" } },
  ],
  [
    "refuses an unknown annotation of ours",
    "refuse annotation_unknown",
    { annotations: { "signet.dev/exclude-ports": "443" } },
  ],
  [
    "attack-30 refuses user 1337 for the pod",
    "refuse reserved_user",
    { spec: { securityContext: { runAsUser: 1337 } } },
  ],
  [
    "attack-30 refuses user 1337 for a container",
    "refuse reserved_user",
    { container: { securityContext: { runAsUser: 1337 } } },
  ],
  [
    "attack-30 refuses user 1337 for an init container",
    "refuse reserved_user",
    { spec: { initContainers: [{ name: "setup", securityContext: { runAsUser: 1337 } }] } },
  ],
  [
    "attack-30 refuses user 1337 for an ephemeral container",
    "refuse reserved_user",
    { spec: { ephemeralContainers: [{ name: "debug", securityContext: { runAsUser: 1337 } }] } },
  ],
  [
    "attack-35 refuses a container named proxy",
    "refuse sidecar_not_genuine",
    { container: { name: "proxy" } },
  ],
  [
    "attack-35 refuses an ephemeral container named proxy",
    "refuse sidecar_not_genuine",
    { spec: { ephemeralContainers: [{ name: "proxy" }] } },
  ],
  [
    "attack-35 refuses an init container named proxy-init",
    "refuse sidecar_not_genuine",
    { spec: { initContainers: [{ name: "proxy-init" }] } },
  ],
  [
    "attack-35 refuses a volume that takes the token's name",
    "refuse sidecar_not_genuine",
    { spec: { volumes: [{ name: "signet-token", emptyDir: {} }] } },
  ],
  [
    "attack-35 refuses a container that mounts the token to come",
    "refuse sidecar_not_genuine",
    { container: { volumeMounts: [{ name: "signet-token", mountPath: "/steal" }] } },
  ],
  [
    "attack-35 injects despite a marker that nobody but the pod set",
    "inject",
    { annotations: { "signet.dev/status": "injected" } },
  ],
];

for (const [title, expected, parts, changes] of rows) {
  const row = title.startsWith("attack-") ? title.replace(/ /, " decide ") : `decide ${title}`;
  test(row, (t) => t.is(verdict(parts, changes), expected));
}

function injected(parts: PodParts = {}): Pod {
  const pod = podWith(parts);
  const decision = decide(inputFor(pod));
  if (decision.kind !== "inject") throw new Error(decision.message);
  return structuredClone(applyPatch(pod, buildPatch(pod, decision.options, config)));
}

type Mutable<T> = { -readonly [K in keyof T]: Mutable<T[K]> };

function tampered(change: (pod: Mutable<Pod>) => void): Decision {
  const pod = injected() as Mutable<Pod>;
  change(pod);
  return decide(inputFor(pod));
}

const tamperings: readonly [string, RegExp, (pod: Mutable<Pod>) => void][] = [
  ["another proxy image", /"image"/, (pod) => (pod.spec.initContainers![1]!.image = "evil/proxy")],
  ["another init image", /"image"/, (pod) => (pod.spec.initContainers![0]!.image = "evil/init")],
  ["a command", /"command"/, (pod) => (pod.spec.initContainers![1]!.command = ["sleep"])],
  ["arguments", /"args"/, (pod) => (pod.spec.initContainers![0]!.args = ["--dry-run"])],
  [
    "an added variable",
    /"env"/,
    (pod) => pod.spec.initContainers![1]!.env!.push({ name: "NODE_OPTIONS", value: "--import /x" }),
  ],
  [
    "another root to trust",
    /"env"/,
    (pod) => {
      const env = pod.spec.initContainers![1]!.env!;
      env.find(({ name }) => name === "SIGNET_ROOT_FINGERPRINTS")!.value = "cd".repeat(32);
    },
  ],
  [
    "an exclusion slipped into proxy-init",
    /"env"/,
    (pod) =>
      pod.spec.initContainers![0]!.env!.push({ name: "SIGNET_EXCLUDE_INBOUND_PORTS", value: "80" }),
  ],
  [
    "an added capability",
    /"securityContext"/,
    (pod) => (pod.spec.initContainers![1]!.securityContext!.capabilities!.add = ["SYS_PTRACE"]),
  ],
  [
    "another user",
    /"securityContext"/,
    (pod) => (pod.spec.initContainers![1]!.securityContext!.runAsUser = 0),
  ],
  [
    "an added mount",
    /"volumeMounts"/,
    (pod) =>
      pod.spec.initContainers![1]!.volumeMounts!.push({ name: "own", mountPath: "/app/proxy" }),
  ],
  [
    "the token mounted elsewhere, too",
    /"signet-token"/,
    (pod) => (pod.spec.containers[0]!.volumeMounts = [{ name: "signet-token", mountPath: "/t" }]),
  ],
  [
    "a token for another audience",
    /volume "signet-token"/,
    (pod) => (pod.spec.volumes![0] = { name: "signet-token", emptyDir: {} }),
  ],
  [
    "no restart policy",
    /"restartPolicy"/,
    (pod) => delete pod.spec.initContainers![1]!.restartPolicy,
  ],
  ["the wrong order", /comes after/, (pod) => void pod.spec.initContainers!.reverse()],
  ["no proxy-init", /only container "proxy"/, (pod) => void pod.spec.initContainers!.shift()],
  [
    "the proxy among the containers",
    /wrong list/,
    (pod) => void pod.spec.containers.push(pod.spec.initContainers!.pop()!),
  ],
];

for (const [title, detail, change] of tamperings) {
  test(`attack-35 decide refuses an injected pod with ${title}`, (t) => {
    const decision = tampered(change);
    t.is(decision.kind, "refuse");
    if (decision.kind !== "refuse") return;
    t.is(decision.reason, "sidecar_not_genuine");
    t.regex(decision.message, detail);
  });
}

test("decide accepts a pod that pins a former root, as long as links lead on from it", (t) => {
  const [former, foreign] = ["cd".repeat(32), "ef".repeat(32)];
  const pinned = (pins: string, formerFingerprints: readonly string[]): Decision => {
    const pod = injected() as Mutable<Pod>;
    const env = pod.spec.initContainers![1]!.env!;
    env.find(({ name }) => name === "SIGNET_ROOT_FINGERPRINTS")!.value = pins;
    const input = inputFor(pod);
    return decide({ ...input, config: { ...input.config, formerFingerprints } });
  };
  const [present = ""] = config.rootFingerprints;
  for (const pins of [former, `${former},${present}`]) {
    const decision = pinned(pins, [former]);
    t.is(decision.kind === "skip" && decision.reason, "already_injected", pins);
  }
  for (const pins of ["", foreign, `${former},${foreign}`]) {
    t.is(pinned(pins, [former]).kind, "refuse", pins);
  }
});

test("decide accepts what an API server fills in after injection", (t) => {
  const decision = tampered((pod) => {
    const proxy = pod.spec.initContainers![1]! as unknown as Record<string, unknown>;
    Object.assign(proxy, { imagePullPolicy: "Always", terminationMessagePath: "/dev/log" });
    Object.assign(proxy, { resources: { limits: { cpu: "1" } }, stdin: false });
    const env = proxy["env"] as { valueFrom?: { fieldRef: Record<string, string> } }[];
    env[0]!.valueFrom!.fieldRef["apiVersion"] = "v1";
    const directory = "/var/run/secrets/kubernetes.io/serviceaccount";
    pod.spec.initContainers![1]!.volumeMounts!.push({ name: "kube-api", mountPath: directory });
    Object.assign(pod.spec.volumes![0]!["projected"] as object, { defaultMode: 420 });
  });
  t.is(decision.kind === "skip" && decision.reason, "already_injected");
});

test("attack-30 decide refuses user 1337 also beside a genuine sidecar", (t) => {
  const decision = tampered(
    (pod) => (pod.spec.containers[0]!.securityContext = { runAsUser: 1337 }),
  );
  t.is(decision.kind === "refuse" && decision.reason, "reserved_user");
});

test("attack-30 decide warns of containers that could undo the redirect", (t) => {
  const warnings = (parts: PodParts): readonly string[] => {
    const decision = decide(inputFor(podWith(parts)));
    return decision.kind === "inject" ? decision.warnings : [];
  };
  t.deepEqual(warnings({}), []);
  t.regex(warnings({ container: { securityContext: { runAsUser: 0 } } })[0]!, /runs as root/);
  t.regex(warnings({ container: { securityContext: { privileged: true } } })[0]!, /privileged/);
  const capabilities = { add: ["CAP_NET_ADMIN", "CHOWN"] };
  t.regex(warnings({ container: { securityContext: { capabilities } } })[0]!, /has NET_ADMIN:/);
  t.regex(warnings({ spec: { shareProcessNamespace: true } })[0]!, /private key/);
});

test("decide says what was found and what to change", (t) => {
  const decision = decide(inputFor(podWith({ spec: { hostNetwork: true } })));
  t.is(decision.kind, "refuse");
  if (decision.kind !== "refuse") return;
  t.is(
    decision.message,
    'Cannot inject pod "web": it uses the host network, where the rules would redirect the whole node',
  );
  t.regex(decision.next, /signet\.dev\/inject: disabled/);
});
