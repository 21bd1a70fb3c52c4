import test from "ava";
import { parseManifest } from "./manifests.ts";
import { objectFaults } from "./schema.ts";
import { pathText } from "./shape.ts";

type Json = Readonly<Record<string, unknown>>;

const container: Json = { name: "c", image: "signet/app-b" };

function pod(spec: Json = {}, first: Json = {}): Json {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "n" },
    spec: { containers: [{ ...container, ...first }], ...spec },
  };
}

function deployment(spec: Json): Json {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d" },
    spec: {
      selector: { matchLabels: { app: "d" } },
      template: { metadata: { labels: { app: "d" } }, spec: { containers: [container] } },
      ...spec,
    },
  };
}

function service(spec: Json): Json {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "s" },
    spec: { selector: { app: "s" }, ports: [{ port: 80 }], ...spec },
  };
}

function policy(spec: Json): Json {
  const metadata = { name: "default" };
  return { apiVersion: "signet.dev/v1alpha1", kind: "PeerAuthentication", metadata, spec };
}

function route(rule: Json, spec: Json = {}): Json {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: "r" },
    spec: {
      parentRefs: [{ group: "", kind: "Service", name: "s" }],
      rules: [{ backendRefs: [{ name: "s", port: 80 }], ...rule }],
      ...spec,
    },
  };
}

function annotatedRoute(annotations: Json): Json {
  return { ...route({}), metadata: { name: "r", annotations } };
}

function told(value: Json): string[] {
  return objectFaults(String(value["kind"]), value).map(
    ({ path, message }) => `${pathText(path)} ${message}`,
  );
}

const sound: readonly (readonly [string, Json])[] = [
  ["a pod of one container", pod()],
  [
    "resources and pull policies, which change nothing here",
    pod({}, { resources: {}, imagePullPolicy: "Always" }),
  ],
  [
    "a probe of each kind",
    pod(
      {},
      {
        startupProbe: { exec: { command: ["true"] } },
        readinessProbe: { httpGet: { port: "web", path: "/x?y=1" } },
        livenessProbe: { tcpSocket: { port: 80 } },
      },
    ),
  ],
  [
    "a native sidecar",
    pod({ initContainers: [{ ...container, name: "s", restartPolicy: "Always" }] }),
  ],
  ["a field written empty, as YAML may", pod({ volumes: null })],
  ["host namespaces declined", pod({ hostNetwork: false, hostPID: false })],
  ["a Deployment whose selector fits", deployment({ replicas: 3 })],
  ["a headless Service", service({ clusterIP: "None" })],
  [
    "two named ports",
    service({
      ports: [
        { port: 80, name: "a" },
        { port: 81, name: "b", targetPort: "web" },
      ],
    }),
  ],
  [
    "a policy for one port",
    policy({ mtls: { mode: "STRICT" }, portLevelMtls: { "8080": { mode: "DISABLE" } } }),
  ],
  ["post-quantum keys", policy({ mtls: { mode: "STRICT", postQuantum: "REQUIRE" } })],
  [
    "a route with retry and timeouts",
    route({ retry: { codes: [500], attempts: 3, backoff: "25ms" }, timeouts: { request: "10s" } }),
  ],
  [
    "a route with retries in its annotation",
    annotatedRoute({ "signet.dev/retry": "attempts=3 codes=500", "example.net/x": "" }),
  ],
  [
    "a route with a header match",
    route({
      matches: [
        { path: { type: "Exact", value: "/a" }, headers: [{ name: "user", value: "test" }] },
      ],
    }),
  ],
];

for (const [what, value] of sound) {
  test(`objectFaults lets ${what} pass`, (t) => t.deepEqual(told(value), []));
}

const broken: readonly (readonly [string, Json, string])[] = [
  [
    "another command",
    pod({}, { command: ["sh"] }),
    "spec.containers[0].command is not understood here",
  ],
  [
    "environment from a whole map",
    pod({}, { envFrom: [] }),
    "spec.containers[0].envFrom is not understood here",
  ],
  [
    "a variable from a Secret",
    pod({}, { env: [{ name: "A", valueFrom: { secretKeyRef: {} } }] }),
    "spec.containers[0].env[0].valueFrom.secretKeyRef is not understood here",
  ],
  [
    "a number as a variable",
    pod({}, { env: [{ name: "A", value: 1 }] }),
    "spec.containers[0].env[0].value is the number 1, not a text",
  ],
  [
    "a field of the downward API that there is not",
    pod({}, { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }] }),
    'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath is "spec.nodeName", not "metadata.name" or "metadata.namespace" or "metadata.uid" or "status.podIP" or "status.podIPs" or "spec.serviceAccountName"',
  ],
  [
    "a life cycle hook",
    pod({}, { lifecycle: { preStop: {} } }),
    "spec.containers[0].lifecycle is not understood here",
  ],
  [
    "the host's network",
    pod({ hostNetwork: true }),
    "spec.hostNetwork cannot be had without a cluster",
  ],
  ["the host's processes", pod({ hostPID: true }), "spec.hostPID cannot be had without a cluster"],
  [
    "shared processes",
    pod({ shareProcessNamespace: true }),
    "spec.shareProcessNamespace cannot be had without a cluster",
  ],
  [
    "a privileged container",
    pod({}, { securityContext: { privileged: true } }),
    "spec.containers[0].securityContext.privileged cannot be had without a cluster",
  ],
  [
    "gaining privileges",
    pod({}, { securityContext: { allowPrivilegeEscalation: true } }),
    "spec.containers[0].securityContext.allowPrivilegeEscalation is true, not false",
  ],
  [
    "a strong capability",
    pod({}, { securityContext: { capabilities: { add: ["SYS_ADMIN"] } } }),
    'spec.containers[0].securityContext.capabilities.add[0] is "SYS_ADMIN": not a capability given here',
  ],
  [
    "a folder of the host",
    pod({ volumes: [{ name: "v", hostPath: { path: "/" } }] }),
    "spec.volumes[0].hostPath is not understood here",
  ],
  [
    "a claim",
    pod({ volumes: [{ name: "v", persistentVolumeClaim: {} }] }),
    "spec.volumes[0].persistentVolumeClaim is not understood here",
  ],
  [
    "a volume of two sources",
    pod({ volumes: [{ name: "v", emptyDir: {}, secret: { secretName: "s" } }] }),
    "spec.volumes[0] has none or several sources",
  ],
  [
    "a mount over the system",
    pod({}, { volumeMounts: [{ name: "v", mountPath: "/etc" }] }),
    'spec.containers[0].volumeMounts[0].mountPath is "/etc": only below /run, /var/run or /tmp without an image',
  ],
  [
    "a part of a volume",
    pod({}, { volumeMounts: [{ name: "v", mountPath: "/run/v", subPath: "x" }] }),
    "spec.containers[0].volumeMounts[0].subPath is not understood here",
  ],
  [
    "a token in a folder above",
    pod({
      volumes: [
        { name: "v", projected: { sources: [{ serviceAccountToken: { path: "../token" } }] } },
      ],
    }),
    'spec.volumes[0].projected.sources[0].serviceAccountToken.path is "../token": not the name of a file',
  ],
  [
    "a token that lives too short",
    pod({
      volumes: [
        {
          name: "v",
          projected: { sources: [{ serviceAccountToken: { path: "t", expirationSeconds: 60 } }] },
        },
      ],
    }),
    "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds is 60, not a whole number 600 to 4294967296",
  ],
  [
    "a probe that asks for nothing",
    pod({}, { livenessProbe: { periodSeconds: 1 } }),
    "spec.containers[0].livenessProbe asks for none or several of httpGet, tcpSocket, exec",
  ],
  [
    "a probe's path with a shell in it",
    pod({}, { readinessProbe: { httpGet: { port: 80, path: "/' ; id" } } }),
    'spec.containers[0].readinessProbe.httpGet.path is "/\' ; id": not a path',
  ],
  [
    "a probe with TLS",
    pod({}, { readinessProbe: { httpGet: { port: 80, scheme: "HTTPS" } } }),
    'spec.containers[0].readinessProbe.httpGet.scheme is "HTTPS", not "HTTP"',
  ],
  [
    "two containers of one name",
    pod({ containers: [container, container] }),
    'spec has two containers named "c"',
  ],
  ["no container", pod({ containers: [] }), "spec.containers has 0 entries, fewer than 1"],
  [
    "a pod that ends",
    pod({ restartPolicy: "Never" }),
    'spec.restartPolicy is "Never", not "Always"',
  ],
  ["another system", pod({ os: { name: "windows" } }), 'spec.os.name is "windows", not "linux"'],
  [
    "too many replicas",
    deployment({ replicas: 101 }),
    "spec.replicas is 101, not a whole number 0 to 100",
  ],
  [
    "half a replica",
    deployment({ replicas: 0.5 }),
    "spec.replicas is 0.5, not a whole number 0 to 100",
  ],
  [
    "a selector that misses",
    deployment({ selector: { matchLabels: { app: "e" } } }),
    'spec selects "app: e", which its template lacks',
  ],
  [
    "a Deployment that recreates",
    deployment({ strategy: { type: "Recreate" } }),
    'spec.strategy.type is "Recreate", not "RollingUpdate"',
  ],
  [
    "a Service on every node",
    service({ type: "NodePort" }),
    'spec.type is "NodePort", not "ClusterIP"',
  ],
  [
    "a Service over UDP",
    service({ ports: [{ port: 53, protocol: "UDP" }] }),
    'spec.ports[0].protocol is "UDP", not "TCP"',
  ],
  [
    "a port beyond the last",
    service({ ports: [{ port: 65_536 }] }),
    "spec.ports[0].port is 65536, not a whole number 1 to 65535",
  ],
  [
    "two ports of which one has no name",
    service({ ports: [{ port: 80 }, { port: 81, name: "b" }] }),
    "spec has port 80 without a name among several",
  ],
  [
    "one port twice",
    service({
      ports: [
        { port: 80, name: "a" },
        { port: 80, name: "b" },
      ],
    }),
    "spec has port 80 twice",
  ],
  [
    "a misspelt mode",
    policy({ mtls: { mode: "STRCT" } }),
    'spec.mtls.mode is "STRCT", not "STRICT" or "PERMISSIVE" or "DISABLE"',
  ],
  [
    "a mode in small letters",
    policy({ mtls: { mode: "strict" } }),
    'spec.mtls.mode is "strict", not "STRICT" or "PERMISSIVE" or "DISABLE"',
  ],
  ["no mode", policy({ mtls: {} }), "spec.mtls.mode is missing"],
  [
    "a key agreement that is none",
    policy({ mtls: { mode: "STRICT", postQuantum: "YES" } }),
    'spec.mtls.postQuantum is "YES", not "PREFER" or "REQUIRE"',
  ],
  [
    "post-quantum keys beside plaintext",
    policy({ mtls: { mode: "PERMISSIVE", postQuantum: "REQUIRE" } }),
    "spec.mtls.postQuantum REQUIRE needs mode STRICT: this one takes plaintext",
  ],
  [
    "a misspelt field of a policy",
    policy({ mTLS: { mode: "STRICT" } }),
    "spec.mTLS is not understood here",
  ],
  [
    "a mode for no port",
    policy({ portLevelMtls: { http: { mode: "STRICT" } } }),
    "spec.portLevelMtls.http is not a port",
  ],
  [
    "a selector by expressions",
    policy({ selector: { matchExpressions: [] } }),
    "spec.selector.matchExpressions is not understood here",
  ],
  [
    "a filter",
    route({ filters: [{ type: "RequestMirror" }] }),
    "spec.rules[0].filters is not supported",
  ],
  [
    "a match by query",
    route({ matches: [{ queryParams: [{}] }] }),
    "spec.rules[0].matches[0].queryParams is not supported",
  ],
  [
    "a match by pattern",
    route({ matches: [{ path: { type: "RegularExpression", value: "/" } }] }),
    'spec.rules[0].matches[0].path.type is "RegularExpression", not "Exact" or "PathPrefix"',
  ],
  [
    "a negative weight",
    route({ backendRefs: [{ name: "s", port: 80, weight: -1 }] }),
    "spec.rules[0].backendRefs[0].weight is -1, not a whole number 0 to 1000000",
  ],
  [
    "a retry annotation that says nothing",
    annotatedRoute({ "signet.dev/retry": "12" }),
    'metadata.annotations.signet.dev/retry "12" is not understood; write it like "attempts=2 codes=500,502,503,504 backoff=25ms"',
  ],
  [
    "an annotation of ours that does not exist",
    annotatedRoute({ "signet.dev/retries": "attempts=1" }),
    'metadata.annotations.signet.dev/retries is unknown; on a route there is "signet.dev/retry"',
  ],
  [
    "a backoff without a unit",
    route({ retry: { backoff: "25" } }),
    'spec.rules[0].retry.backoff is "25": not a duration',
  ],
];

for (const [what, value, message] of broken) {
  test(`objectFaults refuses ${what}`, (t) => {
    t.true(told(value).includes(message), told(value).join("\n"));
    t.throws(() => parseManifest(JSON.stringify(value), "x"), { code: "manifest_invalid" });
  });
}

test("objectFaults warns of what is accepted without effect, and parseManifest passes it on", (t) => {
  const value = pod({ securityContext: { fsGroup: 1 } });
  const [only] = objectFaults("Pod", value);
  t.true(only?.isWarning);
  const { objects, warnings } = parseManifest(JSON.stringify(value), "x");
  t.is(objects.length, 1);
  t.deepEqual(warnings, [
    '"x" line 1: spec.securityContext.fsGroup has no effect here: volumes belong to the first container that mounts them',
  ]);
});
