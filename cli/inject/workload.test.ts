import test from "ava";
import { injectorDefaults } from "#/injector/config.ts";
import { injectObject } from "./workload.ts";

const config = { ...injectorDefaults, rootFingerprints: ["a".repeat(64)] };

// oxlint-disable-next-line typescript/no-explicit-any -- objects are built and looked at as plain data
type Loose = any;

const template = (name: string, annotations: object = {}): Loose => ({
  metadata: { labels: { app: name }, annotations },
  spec: { containers: [{ name, image: "x" }] },
});
const inner = { spec: { template: template("w") } };

const kinds: readonly (readonly [string, string, Loose, (object: Loose) => Loose])[] = [
  ["v1", "Pod", template("w"), (object) => object],
  ["apps/v1", "Deployment", inner, (object) => object.spec.template],
  ["apps/v1", "StatefulSet", inner, (object) => object.spec.template],
  ["apps/v1", "DaemonSet", inner, (object) => object.spec.template],
  ["apps/v1", "ReplicaSet", inner, (object) => object.spec.template],
  ["batch/v1", "Job", inner, (object) => object.spec.template],
  [
    "batch/v1",
    "CronJob",
    { spec: { jobTemplate: inner } },
    (object) => object.spec.jobTemplate.spec.template,
  ],
];

function objectOf(apiVersion: string, kind: string, body: Loose): Loose {
  return { apiVersion, kind, ...body, metadata: { ...body.metadata, name: "w", namespace: "n" } };
}

for (const [apiVersion, kind, body, podOf] of kinds) {
  test(`injectObject puts the sidecar into a ${kind}, and twice is as good as once`, (t) => {
    const object = objectOf(apiVersion, kind, body);
    const first = injectObject(object, config);
    const pod = podOf(first.object);
    t.deepEqual(
      pod.spec.initContainers.map(({ name }: Loose) => name),
      ["proxy-init", "proxy"],
    );
    t.is(pod.metadata.annotations["signet.dev/status"], "injected");
    t.is(pod.metadata.generateName, undefined);
    const second = injectObject(first.object, config);
    t.is(second.object, first.object);
    t.regex(second.notes[0]!, new RegExp(`^${kind} "w": no change: .*genuine$`));
  });
}

test("injectObject gives a template without metadata some", (t) => {
  const object = objectOf("apps/v1", "Deployment", {
    spec: { template: { spec: template("w").spec } },
  });
  const { spec } = injectObject(object, config).object as Loose;
  t.deepEqual(spec.template.metadata, { annotations: { "signet.dev/status": "injected" } });
});

for (const [what, value] of [
  ["a Service", { apiVersion: "v1", kind: "Service", metadata: { name: "s" }, spec: {} }],
  [
    "a Deployment of another group",
    { ...objectOf("apps/v1", "Deployment", inner), apiVersion: "x/v1" },
  ],
  ["nothing", null],
  ["a text", "text"],
  ["a list of things", [1]],
  ["an object of no kind", { a: 1 }],
] as const) {
  test(`injectObject passes ${what} through`, (t) => {
    const done = injectObject(value, config);
    t.is<unknown, unknown>(done.object, value);
    t.deepEqual([done.notes, done.refusals], [[], []]);
  });
}

test("injectObject goes into a List, and leaves one alone in which nothing changes", (t) => {
  const service = { apiVersion: "v1", kind: "Service", metadata: { name: "s" } };
  const items = [service, objectOf("v1", "Pod", template("w"))];
  const list = { apiVersion: "v1", kind: "List", items };
  const done = injectObject(list, config).object as Loose;
  t.is(done.items[0], service);
  t.is(done.items[1].spec.initContainers.length, 2);
  const same = { ...list, items: [service] };
  t.is(injectObject(same, config).object as Loose, same);
});

for (const [what, annotations, note] of [
  ["opts out", { "signet.dev/inject": "disabled" }, /sets "signet.dev\/inject: disabled"/],
  ["is kubelet's own", { "kubernetes.io/config.mirror": "x" }, /static pod/],
] as const) {
  test(`injectObject leaves a pod alone that ${what}, and says so`, (t) => {
    const object = objectOf("apps/v1", "Deployment", {
      spec: { template: template("w", annotations) },
    });
    const done = injectObject(object, config);
    t.is(done.object, object);
    t.regex(done.notes[0]!, note);
  });
}

test("injectObject leaves what is never injected alone", (t) => {
  const object = objectOf("apps/v1", "Deployment", inner);
  const there = { ...object, metadata: { name: "w", namespace: "kube-system" } };
  t.regex(injectObject(there, config).notes[0]!, /"kube-system" is never injected/);
});

for (const [what, spec, annotations, reason] of [
  ["on the host's network", { hostNetwork: true }, {}, /pod "w-\*": it uses the host network/],
  ["with a foreign proxy", { containers: [{ name: "proxy" }] }, {}, /names reserved/],
  ["as the sidecar's user", { securityContext: { runAsUser: 1337 } }, {}, /user 1337/],
  ["with a wrong annotation", {}, { "signet.dev/svid-lifetime": "soon" }, /svid-lifetime/],
  ["with an unknown annotation", {}, { "signet.dev/sidecar": "no" }, /it is unknown/],
  ["without containers", { containers: null }, {}, /"spec.containers" is null/],
] as const) {
  test(`attack-30 injectObject refuses a pod ${what}, as the webhook does`, (t) => {
    const whole = template("w", annotations);
    const object = objectOf("apps/v1", "Deployment", {
      spec: { template: { ...whole, spec: { ...whole.spec, ...spec } } },
    });
    const { refusals, object: same } = injectObject(object, config);
    t.is(same, object);
    t.is(refusals.length, 1);
    t.regex(refusals[0]!.message, reason);
    t.not(refusals[0]!.next, "");
  });
}

test("injectObject refuses a workload without a template", (t) => {
  const { refusals } = injectObject(objectOf("apps/v1", "Deployment", { spec: {} }), config);
  t.regex(refusals[0]!.message, /Cannot inject Deployment "w"/);
});
