// What a pod that asks for the Workload API is given, and what it may not do with it.
import test from "ava";
import { applyPatch } from "./apply-patch.ts";
import { AnnotationError, readAnnotations } from "./annotations.ts";
import { changeOfSidecar } from "./change.ts";
import { decide } from "./decide.ts";
import type { Decision } from "./decide.ts";
import { config, inputFor, podWith } from "./fixture.ts";
import type { PodParts } from "./fixture.ts";
import { buildPatch } from "./patch.ts";
import type { Container, Pod } from "./pod.ts";

type Mutable<T> = { -readonly [K in keyof T]: Mutable<T[K]> };

const asked = { "signet.dev/workload-api": "enabled" };
const volumeName = "signet-workload-api";

function injected(parts: PodParts = {}): Mutable<Pod> {
  const pod = podWith({ annotations: asked, ...parts });
  const decision = decide(inputFor(pod));
  if (decision.kind !== "inject") throw new Error(decision.message);
  const patched = applyPatch(pod, buildPatch(pod, decision.options, config));
  return structuredClone(patched) as Mutable<Pod>;
}

const proxyOf = ({ spec }: Pod): Container =>
  spec.initContainers!.find(({ name }) => name === "proxy")!;
const variable = (container: Container, name: string): string | undefined =>
  container.env?.find((each) => each.name === name)?.value;

test("the Workload API is off unless a pod asks for it, and only by a word that is known", (t) => {
  const read = (annotations: Record<string, string>): boolean =>
    readAnnotations(annotations, config.excludablePorts).workloadApi;
  t.false(read({}));
  t.false(read({ "signet.dev/workload-api": "disabled" }));
  t.true(read(asked));
  for (const text of ["", "true", "Enabled", "on", "enabled "]) {
    const error = t.throws(() => read({ "signet.dev/workload-api": text }), {
      instanceOf: AnnotationError,
    });
    t.is(error.code, "annotation_invalid", text);
  }
  const plain = injected({ annotations: {} });
  t.false(JSON.stringify(plain).includes("workload"));
});

const users: readonly (readonly [string, PodParts, string | undefined])[] = [
  ["no user is named", {}, undefined],
  ["one is named", { container: { securityContext: { runAsUser: 7 } } }, "7"],
  ["the pod names one", { spec: { securityContext: { runAsUser: 8 } } }, "8"],
  ["root is named", { container: { securityContext: { runAsUser: 0 } } }, undefined],
  [
    "several are named",
    {
      spec: {
        securityContext: { runAsUser: 9 },
        initContainers: [{ name: "i", securityContext: { runAsUser: 30 } }, { name: "j" }],
      },
    },
    "9,30",
  ],
  [
    "one container names none",
    { spec: { initContainers: [{ name: "i", securityContext: { runAsUser: 30 } }] } },
    undefined,
  ],
];
for (const [when, parts, expected] of users) {
  test(`the sidecar is told ${expected ?? "nothing"} of users when ${when}`, (t) => {
    const pod = injected(parts);
    t.is(variable(proxyOf(pod), "SIGNET_WORKLOAD_USERS"), expected);
    t.is(variable(proxyOf(pod), "SIGNET_WORKLOAD_SOCKET"), "/run/spiffe/workload.sock");
    t.is(decide(inputFor(pod)).kind, "skip", "and it is genuine");
  });
}

test("a container that another webhook adds afterwards does not make the sidecar a foreign one", (t) => {
  const pod = injected({ container: { securityContext: { runAsUser: 7 } } });
  pod.spec.containers.push({ name: "late", securityContext: { runAsUser: 8 } });
  t.is(decide(inputFor(pod)).kind, "skip");
});

const tamperings: readonly [string, RegExp, (pod: Mutable<Pod>) => void][] = [
  [
    "a socket folder that its application can write to",
    /mounted in another way/,
    (pod) => delete pod.spec.containers[0]!.volumeMounts![0]!.readOnly,
  ],
  [
    "the socket folder elsewhere",
    /mounted in another way/,
    (pod) => (pod.spec.containers[0]!.volumeMounts![0]!.mountPath = "/elsewhere"),
  ],
  [
    "a folder of the node in its place",
    /volume "signet-workload-api" is missing or different/,
    (pod) =>
      (pod.spec.volumes = pod.spec.volumes!.map((volume) =>
        volume.name === volumeName ? { name: volumeName, hostPath: { path: "/run" } } : volume,
      )),
  ],
  [
    "the volume without having asked",
    /"env"/,
    (pod) => (pod.metadata.annotations = { "signet.dev/status": "injected" }),
  ],
  [
    "another path of the socket",
    /"env"/,
    (pod) => {
      const env = pod.spec.initContainers![1]!.env!;
      env.find(({ name }) => name === "SIGNET_WORKLOAD_SOCKET")!.value = "/run/spiffe/x";
    },
  ],
];
for (const [title, detail, change] of tamperings) {
  test(`attack-35 decide refuses an injected pod with ${title}`, (t) => {
    const pod = injected();
    change(pod);
    const decision = decide(inputFor(pod));
    t.is(decision.kind === "refuse" && decision.reason, "sidecar_not_genuine");
    t.regex(decision.kind === "refuse" ? decision.message : "", detail);
  });
}

const mount = (mountPath: string, name = "own"): PodParts => ({
  annotations: asked,
  container: { volumeMounts: [{ name, mountPath }] },
});
type Refused = Extract<Decision, { kind: "refuse" }>;
const places: readonly (readonly [string, PodParts, Decision["kind"], Refused["reason"] | null])[] =
  [
    ["the socket's folder", mount("/run/spiffe"), "refuse", "workload_path_taken"],
    ["it with a slash", mount("/run/spiffe/"), "refuse", "workload_path_taken"],
    ["it by its other name", mount("/var/run/spiffe"), "refuse", "workload_path_taken"],
    ["something in it", mount("/run/spiffe/agent"), "refuse", "workload_path_taken"],
    ["the mesh's volume", mount("/elsewhere", volumeName), "refuse", "sidecar_not_genuine"],
    ["a neighbour of it", mount("/run/spiffe-agent"), "inject", null],
    ["what is above it", mount("/run"), "inject", null],
    ["it, without asking", { ...mount("/run/spiffe"), annotations: {} }, "inject", null],
  ];
for (const [what, parts, kind, reason] of places) {
  test(`decide says ${kind} to a container that mounts ${what}`, (t) => {
    const decision = decide(inputFor(podWith(parts)));
    t.is(decision.kind, kind);
    t.is(decision.kind === "refuse" ? decision.reason : null, reason);
  });
}

test("a volume of the mesh's name is refused before it could be shared", (t) => {
  const volumes = [{ name: volumeName, hostPath: { path: "/run" } }];
  const decision = decide(inputFor(podWith({ annotations: asked, spec: { volumes } })));
  t.is(decision.kind === "refuse" && decision.reason, "sidecar_not_genuine");
});

test("afterwards it is neither asked for nor mounted by a container for debugging", (t) => {
  const before = injected();
  const without = structuredClone(before);
  without.metadata.annotations = { "signet.dev/status": "injected" };
  t.regex(changeOfSidecar(before, without) ?? "", /"signet.dev\/workload-api" is read when/);
  const debugged = structuredClone(before);
  const volumeMounts = [{ name: volumeName, mountPath: "/run/spiffe", readOnly: true }];
  debugged.spec.ephemeralContainers = [{ name: "debug", volumeMounts }];
  t.regex(changeOfSidecar(before, debugged) ?? "", /which holds the pod's identity/);
});
