import { readFileSync } from "node:fs";
import test from "ava";
import * as fc from "fast-check";
import { golden, goldenJson } from "#/test/kit/golden.ts";
import { applyPatch } from "./apply-patch.ts";
import type { InjectorConfig } from "./config.ts";
import { decide } from "./decide.ts";
import { config, inputFor, podWith } from "./fixture.ts";
import { buildPatch } from "./patch.ts";
import { readPod } from "./pod.ts";
import type { Container, Pod } from "./pod.ts";

const classic: InjectorConfig = { ...config, sidecarForm: "classic" };

function inject(pod: Pod, chosen: InjectorConfig = config): Pod {
  const decision = decide(inputFor(pod, { config: chosen }));
  if (decision.kind !== "inject") throw new Error(`not injected: ${decision.message}`);
  return applyPatch(pod, buildPatch(pod, decision.options, chosen));
}

for (const [name, chosen] of [
  ["minimal", config],
  ["full", config],
  ["classic", classic],
  ["workload", config],
] as const) {
  test(`buildPatch makes of the ${name} pod what its golden file shows`, (t) => {
    const at = (kind: string): URL => new URL(`golden/${name}.${kind}.json`, import.meta.url);
    const pod = readPod(JSON.parse(readFileSync(at("pod"), "utf8")));
    const patched = goldenJson(inject(pod, chosen));
    t.is(patched, golden(at("patched"), patched));
  });
}

test("buildPatch only adds", (t) => {
  const pod = podWith({ annotations: { "example.com/a~b": "c" } });
  const decision = decide(inputFor(pod));
  t.is(decision.kind, "inject");
  if (decision.kind !== "inject") return;
  for (const { op } of buildPatch(pod, decision.options, config)) t.is(op, "add");
});

test("attack-32 buildPatch puts the sidecar before every other init container", (t) => {
  const init = [{ name: "first" }, { name: "second" }];
  const names = (pod: Pod): (string | undefined)[] =>
    (pod.spec.initContainers ?? []).map((container) => container.name);
  const pod = podWith({ spec: { initContainers: init } });
  t.deepEqual(names(inject(pod)), ["proxy-init", "proxy", "first", "second"]);
  t.deepEqual(names(inject(pod, classic)), ["proxy-init", "first", "second"]);
  t.is(inject(pod, classic).spec.containers[0]?.name, "proxy");
});

test("buildPatch gives proxy-init two capabilities and the proxy none", (t) => {
  const [init, proxy] = inject(podWith()).spec.initContainers ?? [];
  t.deepEqual(init?.securityContext?.capabilities, {
    add: ["NET_ADMIN", "NET_RAW"],
    drop: ["ALL"],
  });
  t.deepEqual(proxy?.securityContext?.capabilities, { drop: ["ALL"] });
  t.is(proxy?.securityContext?.runAsUser, 1337);
  t.is(proxy?.securityContext?.runAsGroup, 1337);
  t.is(proxy?.restartPolicy, "Always");
  for (const container of [init, proxy]) {
    t.true(container?.securityContext?.readOnlyRootFilesystem);
    t.false(container?.securityContext?.allowPrivilegeEscalation);
    t.false(container?.securityContext?.privileged);
    t.is(container?.securityContext?.seccompProfile?.type, "RuntimeDefault");
  }
});

test("buildPatch leaves the drain shorter than the pod's own grace period", (t) => {
  const drain = (graceS: number | undefined): string | undefined => {
    const grace = graceS === undefined ? {} : { terminationGracePeriodSeconds: graceS };
    const proxy = inject(podWith({ spec: grace })).spec.initContainers?.[1];
    return proxy?.env?.find(({ name }) => name === "SIGNET_DRAIN_S")?.value;
  };
  t.is(drain(undefined), "20");
  t.is(drain(12), "7");
  t.is(drain(0), "1");
  t.is(drain(3600), "20");
});

test("attack-32 buildPatch lets a classic sidecar be ready first, and stop last", (t) => {
  const proxyOf = (graceS: number): Container =>
    inject(podWith({ spec: { terminationGracePeriodSeconds: graceS } }), classic).spec
      .containers[0]!;
  t.is(proxyOf(30).lifecycle?.postStart.exec.command.at(-1), "started");
  for (const [graceS, holdS, drainS] of [
    [30, "5", "20"],
    [15, "5", "5"],
    [8, "1", "2"],
    [0, "0", "1"],
  ] as const) {
    const { lifecycle, env } = proxyOf(graceS);
    t.deepEqual(lifecycle?.preStop.exec.command.slice(-2), ["stopping", holdS]);
    t.is(env?.find(({ name }) => name === "SIGNET_DRAIN_S")?.value, drainS);
  }
  t.is(inject(podWith()).spec.initContainers?.[1]?.lifecycle, undefined);
});

test("buildPatch gives a sidecar as many workers as its pod asks for, with memory for each", (t) => {
  const proxyOf = (annotations: Record<string, string>): Container | undefined =>
    inject(podWith({ annotations })).spec.initContainers?.[1];
  const workersOf = (it: Container | undefined): string | undefined =>
    it?.env?.find(({ name: each }) => each === "SIGNET_WORKERS")?.value;
  t.is(workersOf(proxyOf({})), undefined);
  t.is(workersOf(proxyOf({ "signet.dev/workers": "1" })), undefined);
  t.deepEqual(proxyOf({ "signet.dev/workers": "1" })?.resources, proxyOf({})?.resources);
  const four = proxyOf({ "signet.dev/workers": "4" });
  t.is(workersOf(four), "4");
  t.deepEqual(four?.resources, {
    requests: { cpu: "50m", memory: "224Mi" },
    limits: { memory: "1536Mi" },
  });
});

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/).map((text) => `c-${text}`);
const containers = fc
  .uniqueArray(name, { maxLength: 3 })
  .map((names) => names.map((each) => ({ name: each, image: "example/any" })));
const pods = fc
  .record(
    {
      annotations: fc.dictionary(name, fc.string({ maxLength: 10 })),
      initContainers: containers,
      volumes: fc.constant([{ name: "data", emptyDir: {} }]),
      grace: fc.nat(100),
      lifetime: fc.constantFrom("30s", "1h", "15m"),
      workloadApi: fc.constantFrom("enabled", "disabled"),
      workers: fc.constantFrom("1", "2", "8"),
    },
    { requiredKeys: [] },
  )
  .map(({ annotations, initContainers, volumes, grace, lifetime, workloadApi, workers }) =>
    podWith({
      ...((annotations ?? lifetime ?? workloadApi ?? workers) && {
        annotations: {
          ...annotations,
          ...(lifetime && { "signet.dev/svid-lifetime": lifetime }),
          ...(workloadApi && { "signet.dev/workload-api": workloadApi }),
          ...(workers && { "signet.dev/workers": workers }),
        },
      }),
      spec: {
        ...(initContainers && { initContainers }),
        ...(volumes && { volumes }),
        ...(grace !== undefined && { terminationGracePeriodSeconds: grace }),
      },
    }),
  );

test("attack-35 injecting twice is injecting once, whatever the pod and the form", (t) => {
  fc.assert(
    fc.property(pods, fc.constantFrom(config, classic), (pod, chosen) => {
      const once = inject(pod, chosen);
      const again = decide(inputFor(readPod(structuredClone(once)), { config: chosen }));
      return again.kind === "skip" && again.reason === "already_injected";
    }),
  );
  t.pass();
});

const shared: Partial<Container> = {
  volumeMounts: [{ name: "signet-workload-api", mountPath: "/run/spiffe", readOnly: true }],
  env: [{ name: "SPIFFE_ENDPOINT_SOCKET", value: "unix:///run/spiffe/workload.sock" }],
};

test("buildPatch loses nothing that the pod's author wrote", (t) => {
  fc.assert(
    fc.property(pods, (pod) => {
      const before = structuredClone(pod);
      const { metadata, spec } = inject(pod);
      t.deepEqual(pod, before);
      const marked = { ...pod.metadata.annotations, "signet.dev/status": "injected" };
      t.deepEqual(metadata.annotations, marked);
      const isShared = pod.metadata.annotations?.["signet.dev/workload-api"] === "enabled";
      const added = isShared ? shared : {};
      const withAdded = (each: Container): Container => ({ ...each, ...added });
      t.deepEqual(spec.containers, pod.spec.containers.map(withAdded));
      t.deepEqual(spec.initContainers?.slice(2), (pod.spec.initContainers ?? []).map(withAdded));
      t.deepEqual(spec.volumes?.slice(0, isShared ? -3 : -2), [...(pod.spec.volumes ?? [])]);
    }),
    { numRuns: 50 },
  );
});
