import test from "ava";
import * as fc from "fast-check";
import { DecodeError } from "./decode-error.ts";
import { decodeObject, identify } from "./decode.ts";
import { durationMs } from "./duration.ts";
import type { HttpRouteRecord } from "./events.ts";

const meta = { name: "x", namespace: "n" };
const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { ...meta, uid: "u1", labels: { app: "x" }, creationTimestamp: "2026-01-02T03:04:05Z" },
  spec: { serviceAccountName: "sa" },
  status: { podIP: "FD00::1", phase: "Running" },
};
const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: meta,
  spec: { clusterIP: "10.0.0.1", ports: [{ name: "http", port: 80, targetPort: 8080 }] },
};
const slice = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { ...meta, labels: { "kubernetes.io/service-name": "s" } },
  ports: [{ name: "http", port: 8080 }],
  endpoints: [{ addresses: ["10.1.0.1"], targetRef: { kind: "Pod", name: "p", uid: "u" } }],
};
const route = (spec: object): object => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: meta,
  spec: { parentRefs: [{ group: "", kind: "Service", name: "s" }], ...spec },
});
const policy = (spec: object): object => ({
  apiVersion: "signet.dev/v1alpha1",
  kind: "PeerAuthentication",
  metadata: meta,
  spec,
});

const suspension = (spec: object): object => ({
  apiVersion: "signet.dev/v1alpha1",
  kind: "IdentitySuspension",
  metadata: { name: "x" },
  spec,
});

test("decodeObject reads a pod with the fields the mesh looks at", (t) => {
  const read = decodeObject(pod);
  t.like(read, {
    kind: "Pod",
    serviceAccount: "sa",
    addresses: ["fd00::1"],
    phase: "Running",
    terminating: false,
  });
  t.is(read.meta.createdAt, Date.UTC(2026, 0, 2, 3, 4, 5));
  t.is(read.meta.labels["app"], "x");
});

test("decodeObject reads the addresses of both families", (t) => {
  const status = { podIP: "10.1.0.1", podIPs: [{ ip: "10.1.0.1" }, { ip: "FD00:0:0::1" }] };
  t.like(decodeObject({ ...pod, status }), { addresses: ["10.1.0.1", "fd00::1"] });
});

test("decodeObject takes null for what is not there", (t) => {
  const bare = { ...pod, metadata: { ...meta, labels: null }, spec: {}, status: null };
  t.like(decodeObject(bare), { serviceAccount: "default", addresses: [], phase: "Unknown" });
});

test("attack-48 decodeObject keeps labels named like prototype members as plain data", (t) => {
  const labels = JSON.parse('{"__proto__": "a", "constructor": "b"}') as object;
  const read = decodeObject({ ...pod, metadata: { ...meta, labels } });
  t.is(read.meta.labels["constructor"], "b");
  t.is(Object.getPrototypeOf(read.meta.labels), null);
  t.is(decodeObject(pod).meta.labels["constructor"], undefined);
});

test("decodeObject drops what is not TCP, and None", (t) => {
  const ports = [
    { name: "dns", port: 53, protocol: "UDP" },
    { name: "web", port: 80, protocol: "TCP", appProtocol: "http" },
  ];
  t.like(decodeObject({ ...service, spec: { clusterIP: "None", ports } }), {
    addresses: [],
    ports: [{ name: "web", port: 80, targetPort: null, appProtocol: "http" }],
  });
});

test("decodeObject reads a slice; an endpoint without conditions is ready", (t) => {
  t.like(decodeObject(slice), {
    service: "s",
    endpoints: [{ ready: true, pod: { namespace: "n", name: "p", uid: "u" } }],
  });
});

test("decodeObject reads a route: defaults, header names in lower case, the first of two", (t) => {
  const headers = [
    { name: "X-User", value: "a" },
    { name: "x-user", value: "b" },
  ];
  const rules = [
    {
      matches: [{ headers }],
      backendRefs: [{ name: "b", port: 80 }],
      retry: { attempts: 3, backoff: "25ms" },
      timeouts: { request: "10s", backendRequest: "1m1s" },
    },
  ];
  t.like(decodeObject(route({ rules })), {
    parents: [{ namespace: "n", name: "s", port: null, portName: null }],
    rules: [
      {
        matches: [
          { path: { kind: "prefix", value: "/" }, headers: [{ name: "x-user", value: "a" }] },
        ],
        backends: [{ kind: "Service", namespace: "n", name: "b", port: 80, weight: 1 }],
        retry: { codes: null, attempts: 3, backoffMs: 25 },
        requestTimeoutMs: 10_000,
        backendTimeoutMs: 61_000,
      },
    ],
  });
});

test("decodeObject reads retries from a route's annotation where a rule has none of its own", (t) => {
  const rules = [{}, { retry: { attempts: 0 } }];
  const annotations = { "signet.dev/retry": "attempts=12 backoff=25ms", "example.net/x": "y" };
  const read = decodeObject({ ...route({ rules }), metadata: { ...meta, annotations } });
  t.deepEqual(
    (read as HttpRouteRecord).rules.map(({ retry }) => retry),
    [
      { codes: null, attempts: 12, backoffMs: 25 },
      { codes: null, attempts: 0, backoffMs: null },
    ],
  );
});

test("decodeObject keeps a backend that is no Service, as one that is not there", (t) => {
  const backendRefs = [
    { kind: "Secret", name: "s" },
    { group: "example.net", kind: "Bucket", name: "b", port: 1 },
    { group: "", name: "b", port: 1 },
  ];
  const [rule] = (decodeObject(route({ rules: [{ backendRefs }] })) as HttpRouteRecord).rules;
  t.deepEqual(
    rule?.backends.map(({ kind, port }) => [kind, port]),
    [
      ["Secret", 0],
      ["example.net/Bucket", 1],
      ["Service", 1],
    ],
  );
});

test("decodeObject reads the name of a parent's port", (t) => {
  const parentRefs = [{ group: "", kind: "Service", name: "s", sectionName: "grpc" }];
  t.like(decodeObject(route({ parentRefs })), { parents: [{ port: null, portName: "grpc" }] });
});

test("decodeObject leaves a gateway's routes to the gateway", (t) => {
  const parentRefs = [{ name: "gateway" }];
  t.like(decodeObject(route({ parentRefs, rules: [] })), { parents: [] });
});

test("decodeObject reads a policy", (t) => {
  const spec = {
    selector: { matchLabels: { app: "x" } },
    mtls: { mode: "STRICT" },
    portLevelMtls: { 8080: { mode: "DISABLE" } },
  };
  const read = decodeObject(policy(spec));
  t.like(read, { selector: { app: "x" }, mode: "strict" });
  t.deepEqual(read.kind === "PeerAuthentication" && [...read.ports], [[8080, "disable"]]);
});

test("decodeObject reads a suspension, whatever it names: that is the index's to judge", (t) => {
  const spec = { identity: "no identity", reason: "why" };
  t.like(decodeObject(suspension(spec)), { kind: "IdentitySuspension", ...spec });
});

const refused: readonly [title: string, value: object, message: RegExp][] = [
  ["a pod without a name", { ...pod, metadata: {} }, /metadata\.name/],
  [
    "a pod whose phase is made up",
    { ...pod, status: { phase: "Zombie" } },
    /Pod "n\/x": status\.phase/,
  ],
  [
    "a port out of range",
    { ...service, spec: { ports: [{ port: 70_000 }] } },
    /spec\.ports\.0\.port/,
  ],
  ["a slice of no service", { ...slice, metadata: meta }, /kubernetes\.io\/service-name/],
  ["an endpoint that is no address", { ...slice, endpoints: [{ addresses: ["x"] }] }, /addresses/],
  ["an unknown mode", policy({ mtls: { mode: "STRIKT" } }), /spec\.mtls\.mode/],
  [
    "an unknown key agreement",
    policy({ mtls: { mode: "STRICT", postQuantum: "MAYBE" } }),
    /spec\.mtls\.postQuantum/,
  ],
  [
    "post-quantum keys beside plaintext",
    policy({ mtls: { mode: "PERMISSIVE", postQuantum: "REQUIRE" } }),
    /spec\.mtls\.postQuantum: REQUIRE needs mode STRICT/,
  ],
  [
    "post-quantum keys without a mode",
    policy({ mtls: { postQuantum: "REQUIRE" } }),
    /spec\.mtls\.postQuantum: REQUIRE needs mode STRICT/,
  ],
  ["a policy port that is none", policy({ portLevelMtls: { http: {} } }), /portLevelMtls/],
  ["a policy port out of range", policy({ portLevelMtls: { 70000: {} } }), /70000: not a port/],
  ["a suspension of nobody", suspension({ reason: "x" }), /spec\.identity/],
  ["a suspension without a reason", suspension({ identity: "a", reason: "" }), /spec\.reason/],
  [
    "a suspension of too long a name",
    suspension({ identity: "a".repeat(2049), reason: "x" }),
    /spec\.identity/,
  ],
  [
    "a selector with expressions, which would select less",
    policy({ selector: { matchLabels: {}, matchExpressions: [] } }),
    /selector/,
  ],
  [
    "a path by regular expression (attack case 25)",
    route({ rules: [{ matches: [{ path: { type: "RegularExpression", value: "/(a+)+" } }] }] }),
    /spec\.rules\.0\.matches\.0\.path\.type: only Exact and PathPrefix/,
  ],
  [
    "a match on query parameters",
    route({ rules: [{ matches: [{ queryParams: [{ name: "a", value: "b" }] }] }] }),
    /queryParams: not supported/,
  ],
  [
    "a filter",
    route({ rules: [{ filters: [{ type: "RequestMirror" }] }] }),
    /filters: not supported/,
  ],
  [
    "a Service as backend without a port",
    route({ rules: [{ backendRefs: [{ name: "s" }] }] }),
    /backendRefs\.0\.port: is missing/,
  ],
  [
    "an annotation that says nothing about retries",
    { ...route({}), metadata: { ...meta, annotations: { "signet.dev/retry": "twelve" } } },
    /metadata\.annotations\["signet\.dev\/retry"\]: "twelve" is not understood/,
  ],
  [
    "an annotation of ours that does not exist",
    { ...route({}), metadata: { ...meta, annotations: { "signet.dev/retries": "attempts=1" } } },
    /annotations\["signet\.dev\/retries"\]: is unknown; on a route there is "signet\.dev\/retry"/,
  ],
  [
    "a weight below zero",
    route({ rules: [{ backendRefs: [{ name: "s", port: 1, weight: -1 }] }] }),
    /weight/,
  ],
  [
    "a timeout that is none",
    route({ rules: [{ timeouts: { request: "soon" } }] }),
    /not a duration/,
  ],
  ["too many rules", route({ rules: Array.from({ length: 17 }, () => ({})) }), /spec\.rules/],
  [
    "a header value with a line break",
    route({ rules: [{ matches: [{ headers: [{ name: "a", value: "b\r\nc: d" }] }] }] }),
    /control character/,
  ],
];
for (const [title, value, message] of refused) {
  test(`decodeObject refuses ${title}`, (t) => {
    t.throws(() => decodeObject(value), {
      instanceOf: DecodeError,
      code: "object_invalid",
      message,
    });
  });
}

for (const [given, expected] of [
  [{ mode: "STRICT", postQuantum: "REQUIRE" }, true],
  [{ mode: "PERMISSIVE", postQuantum: "PREFER" }, false],
  [{ mode: "STRICT" }, null],
  [{ mode: "STRICT", postQuantum: null }, null],
] as const) {
  test(`decodeObject reads key agreement from ${JSON.stringify(given)}`, (t) => {
    const read = decodeObject(policy({ mtls: given }));
    t.is(read.kind === "PeerAuthentication" ? read.requiresPostQuantum : undefined, expected);
  });
}

test("decodeObject names a kind that it does not know", (t) => {
  const error = t.throws(() => decodeObject({ ...pod, kind: "Node" }), { instanceOf: DecodeError });
  t.is(error.code, "unknown_kind");
});

test("decodeObject throws nothing but DecodeError", (t) => {
  const shapes = fc.constantFrom<object>(
    pod,
    service,
    slice,
    route({}),
    policy({}),
    suspension({}),
  );
  const mutant = fc.tuple(shapes, fc.string(), fc.anything()).map(([shape, key, junk]) => {
    return Object.assign({}, shape, { [key]: junk, spec: junk });
  });
  fc.assert(
    fc.property(fc.oneof(fc.anything(), mutant), (value) => {
      try {
        decodeObject(value);
      } catch (thrown) {
        t.true(thrown instanceof DecodeError);
      }
      identify(value);
    }),
    { numRuns: 500 },
  );
  t.pass();
});

const durations: readonly [string, number | null][] = [
  ["25ms", 25],
  ["10s", 10_000],
  ["1h30m", 5_400_000],
  ["0s", 0],
  ["", null],
  ["10", null],
  ["-1s", null],
  ["1.5s", null],
  ["1s1h", null],
  ["999999s", null],
];
for (const [text, ms] of durations) {
  test(`durationMs reads "${text}" as ${ms}`, (t) => {
    t.is(durationMs(text), ms);
  });
}
