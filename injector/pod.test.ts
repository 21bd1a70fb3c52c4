import test from "ava";
import * as fc from "fast-check";
import { PodError, podName, readPod } from "./pod.ts";

const spec = { containers: [{ name: "web" }] };

test("readPod returns the very object, unknown fields and all", (t) => {
  const pod = { kind: "Pod", metadata: { name: "web" }, spec: { ...spec, future: [1] } };
  t.is(readPod(pod), pod);
});

test("readPod treats null as absent", (t) => {
  const pod = { metadata: { name: "web", labels: null }, spec: { ...spec, initContainers: null } };
  t.notThrows(() => readPod(pod));
});

test("podName falls back to the prefix of a name to come", (t) => {
  t.is(podName(readPod({ metadata: { name: "web" }, spec })), "web");
  t.is(podName(readPod({ metadata: { generateName: "web-" }, spec })), "web-*");
  t.is(podName(readPod({ spec })), "*");
});

for (const [path, pod] of [
  ["pod", null],
  ["pod", []],
  ["pod", "Pod"],
  ["spec", { metadata: {} }],
  ["spec.containers", { spec: {} }],
  ["spec.containers", { spec: { containers: {} } }],
  ["spec.containers[0]", { spec: { containers: ["web"] } }],
  ["spec.containers[0].name", { spec: { containers: [{}] } }],
  ["spec.hostNetwork", { spec: { ...spec, hostNetwork: "true" } }],
  ["spec.securityContext.runAsUser", { spec: { ...spec, securityContext: { runAsUser: "1337" } } }],
  ['metadata.labels["a"]', { metadata: { labels: { a: 1 } }, spec }],
  ["metadata.annotations", { metadata: { annotations: [] }, spec }],
  ["spec.volumes[0].name", { spec: { ...spec, volumes: [{}] } }],
  [
    "spec.initContainers[0].securityContext.capabilities.add[0]",
    {
      spec: {
        ...spec,
        initContainers: [{ name: "x", securityContext: { capabilities: { add: [1] } } }],
      },
    },
  ],
] as const) {
  test(`readPod names "${path}" when ${JSON.stringify(pod)} has it wrong`, (t) => {
    const error = t.throws(() => readPod(pod), { instanceOf: PodError });
    t.true(error.message.includes(`"${path}"`), error.message);
  });
}

test("readPod throws nothing but its own error", (t) => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      try {
        readPod(value);
      } catch (error) {
        return error instanceof PodError;
      }
      return true;
    }),
  );
  t.pass();
});
