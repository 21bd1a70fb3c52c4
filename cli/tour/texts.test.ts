import test from "ava";
import { newLines } from "../commands/local.ts";
import { commandInPod } from "../local-mesh.ts";
import type { KubernetesObject } from "../mesh.ts";
import { outcomes } from "./client.ts";
import type { LoadReport } from "./client.ts";
import { imagesLike } from "./manifests.ts";
import { readOpensslText } from "./openssl-text.ts";
import { repeatsOf, withWeights, withoutRetry } from "./route.ts";

const route: KubernetesObject = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: {
    name: "app-b",
    namespace: "app-b",
    annotations: { "signet.dev/retry": "attempts=12 backoff=25ms", "a.b/c": "d" },
  },
  spec: {
    parentRefs: [{ name: "app-b" }],
    rules: [
      {
        backendRefs: [
          { name: "app-b-v1", port: 80, weight: 90 },
          { name: "app-b-v2", port: 80, weight: 10 },
        ],
      },
    ],
  },
};

test("withWeights changes weights and nothing else", (t) => {
  const changed = withWeights(route, { "app-b-v1": 50, "app-b-v2": 50 });
  const expected = structuredClone(route) as unknown as {
    spec: { rules: { backendRefs: { weight: number }[] }[] };
  };
  for (const each of expected.spec.rules[0]!.backendRefs) each.weight = 50;
  t.deepEqual(changed as unknown, expected as unknown);
  t.deepEqual(withWeights(route, {}), route);
});

test("withoutRetry ends the retries and changes nothing else", (t) => {
  t.is(repeatsOf(route), 12);
  t.is(repeatsOf(withoutRetry(route)), 0);
  t.deepEqual(withoutRetry(route), {
    ...route,
    metadata: {
      ...route.metadata,
      annotations: { "signet.dev/retry": "attempts=0", "a.b/c": "d" },
    },
  });
});

for (const [client, tour] of [
  ["signet/client", "signet/tour"],
  ["signet/client:1.2.3", "signet/tour:1.2.3"],
  ["registry.example:5000/mesh/client:1.2", "registry.example:5000/mesh/tour:1.2"],
  ["registry.example:5000/client@sha256:abcd", "registry.example:5000/tour"],
  ["somebody/else", "signet/tour"],
  [null, "signet/tour"],
] as const) {
  test(`imagesLike ${client} takes ${tour}`, (t) => t.is(imagesLike(client)("tour"), tour));
}

test("readOpensslText reads what openssl 3 prints", (t) => {
  const text = `serial=0A1B2C
notBefore=Nov 21 08:00:00 2026 GMT
notAfter=Nov 21 08:15:00 2026 GMT
sha256 Fingerprint=AB:CD:EF
X509v3 Subject Alternative Name: critical
    URI:spiffe://cluster.local/ns/app-a/sa/app-a
`;
  t.deepEqual(readOpensslText(text), {
    serial: "0a1b2c",
    notBefore: Date.UTC(2026, 10, 21, 8, 0),
    notAfter: Date.UTC(2026, 10, 21, 8, 15),
    fingerprint: "ab:cd:ef",
    uri: "spiffe://cluster.local/ns/app-a/sa/app-a",
  });
  t.is(readOpensslText("").uri, "");
});

test("outcomes names statuses and errors", (t) => {
  const report = { statuses: { "200": 297, "500": 2 }, errors: { ECONNRESET: 1 } };
  t.is(outcomes(report as unknown as LoadReport), "200 x 297, 500 x 2, ECONNRESET x 1");
  t.is(outcomes({ statuses: {}, errors: {} } as unknown as LoadReport), "nothing");
});

test("commandInPod knows the programs of the demo's images", (t) => {
  t.is(commandInPod(["client", "http://x/"]).at(-2), "apps/client/main.ts");
  t.deepEqual(commandInPod(["cat", "/etc/hosts"]), ["cat", "/etc/hosts"]);
  t.deepEqual(commandInPod(["constructor"]), ["constructor"]);
});

for (const [before, after, expected] of [
  [[], ["a"], ["a"]],
  [["a", "b"], ["a", "b"], []],
  [["a", "b"], ["a", "b", "c"], ["c"]],
  [["a", "b", "c"], ["c", "d"], ["d"]],
  [["a", "a"], ["a", "a", "a"], ["a"]],
  [["x"], ["y", "z"], ["y", "z"]],
] as const) {
  test(`newLines after ${before.join("")} in ${after.join("")}`, (t) => {
    t.deepEqual(newLines(before, after), [...expected]);
  });
}
