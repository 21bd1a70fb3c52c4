import test from "ava";
import { applyPatch } from "./apply-patch.ts";
import { mutate, validate } from "./admission.ts";
import { config, podWith } from "./fixture.ts";
import { relayProbes } from "./probes.ts";
import type { Container } from "./pod.ts";

const withProbe = (readinessProbe: object, more: object = {}) =>
  podWith({ container: { readinessProbe, ...more } as unknown as Partial<Container> });

const rows: readonly (readonly [string, object, object])[] = [
  [
    "a path on a named port, with headers",
    {
      httpGet: { path: "/r", port: "http", httpHeaders: [{ name: "Host", value: "a" }] },
      timeoutSeconds: 3,
    },
    { kind: "http", port: 80, path: "/r", secure: false, headers: [["Host", "a"]], timeoutS: 3 },
  ],
  [
    "HTTPS without a path",
    { httpGet: { port: 8443, scheme: "HTTPS" } },
    { kind: "http", port: 8443, path: "/", secure: true, headers: [], timeoutS: 1 },
  ],
  ["a port", { tcpSocket: { port: 5432 } }, { kind: "tcp", port: 5432, timeoutS: 1 }],
  [
    "a gRPC service",
    { grpc: { port: 9000, service: "s" } },
    { kind: "grpc", port: 9000, service: "s", timeoutS: 1 },
  ],
];
for (const [title, probe, relayed] of rows) {
  test(`relayProbes turns ${title} to the sidecar and keeps what it was`, (t) => {
    const pod = withProbe(
      { periodSeconds: 7, ...probe },
      { ports: [{ name: "http", containerPort: 80 }] },
    );
    const { probes, patch } = relayProbes(pod);
    t.deepEqual(probes["web/readiness"] as object, relayed);
    const turned = applyPatch(pod, patch).spec.containers[0]?.readinessProbe;
    t.like(turned, {
      periodSeconds: 7,
      httpGet: { path: "/probe/web/readiness", port: 4100, scheme: "HTTP" },
    });
    t.deepEqual(
      Object.keys(turned ?? {}).filter((key) => key === "tcpSocket" || key === "grpc"),
      [],
    );
  });
}

for (const [title, probe] of [
  ["a command", { exec: { command: ["true"] } }],
  ["another host", { httpGet: { host: "example.com", port: 80 } }],
  ["a port that has no number", { httpGet: { port: "nobody" } }],
  ["what is turned already", { httpGet: { port: 4100, path: "/probe/web/readiness" } }],
] as const) {
  test(`relayProbes leaves ${title} alone`, (t) => {
    t.deepEqual(relayProbes(withProbe(probe)), { probes: {}, patch: [] });
  });
}

test("a pod with probes is injected once, and its sidecar counts as genuine afterwards", (t) => {
  const object = {
    metadata: { name: "a" },
    spec: { containers: [{ name: "app", livenessProbe: { httpGet: { port: 80 } } }] },
  };
  const review = (given: unknown) => ({
    uid: "u",
    operation: "CREATE" as const,
    subresource: "",
    namespace: "a",
    object: given,
    oldObject: null,
  });
  const stored = applyPatch(object, mutate(review(object), "namespace", config).patch!);
  t.is(mutate(review(stored), "namespace", config).patch, undefined);
  t.true(validate(review(stored), "namespace", config).allowed);
  t.regex(JSON.stringify(stored), /SIGNET_PROBES/);
});
