import test from "ava";
import { MeshAccessError } from "./mesh.ts";
import {
  describeStrictness,
  readPolicies,
  saysOnlyTheMode,
  strictPolicy,
  withMode,
  withoutOwnMode,
} from "./policy.ts";

const policy = (namespace: string, name: string, spec: object) => ({
  apiVersion: "signet.dev/v1alpha1",
  kind: "PeerAuthentication",
  metadata: { name, namespace },
  spec,
});

test("strictPolicy is the namespace's own, named default", (t) => {
  t.deepEqual(
    strictPolicy("app-b", "STRICT"),
    policy("app-b", "default", { mtls: { mode: "STRICT" } }),
  );
});

test("withMode changes the mode and keeps what is said of single ports", (t) => {
  const portLevelMtls = { "8080": { mode: "PERMISSIVE" } };
  const present = policy("app-b", "default", { mtls: { mode: "PERMISSIVE" }, portLevelMtls });
  t.deepEqual(withMode(present, "app-b", "STRICT")["spec"], {
    mtls: { mode: "STRICT" },
    portLevelMtls,
  });
  t.deepEqual(withMode(null, "x", "PERMISSIVE"), strictPolicy("x", "PERMISSIVE"));
});

test("withMode keeps the demand for post-quantum keys, and permits no plaintext beside it", (t) => {
  const mtls = { mode: "STRICT", postQuantum: "REQUIRE" };
  const present = policy("app-b", "default", { mtls });
  t.deepEqual(withMode(present, "app-b", "STRICT")["spec"], { mtls });
  t.throws(() => withMode(present, "app-b", "PERMISSIVE"), {
    instanceOf: MeshAccessError,
    message: 'Cannot permit plaintext in "app-b": its policy "default" demands post-quantum keys',
  });
  t.false(saysOnlyTheMode(present));
});

test("withMode refuses a default policy that is meant for some pods only", (t) => {
  const present = policy("app-b", "default", { selector: { matchLabels: { app: "x" } } });
  const error = t.throws(() => withMode(present, "app-b", "STRICT"), {
    instanceOf: MeshAccessError,
  });
  t.is(
    error?.message,
    'Cannot set the mode of "app-b": its policy "default" is meant for some pods only',
  );
});

const objects = [
  policy("signet-system", "mesh", { mtls: { mode: "STRICT" } }),
  policy("app-b", "default", {
    mtls: { mode: "PERMISSIVE" },
    portLevelMtls: { "9090": { mode: "DISABLE" } },
  }),
  policy("app-b", "one", { selector: { matchLabels: { app: "v1" } }, mtls: { mode: "STRICT" } }),
  policy("ports", "only", { portLevelMtls: { "1": { mode: "STRICT" } } }),
];

test("describeStrictness takes the namespace's own policy first", (t) => {
  t.deepEqual(describeStrictness(readPolicies(objects), "app-b"), {
    mode: "PERMISSIVE",
    decidedBy: "app-b/default",
    exceptions: ["port 9090 DISABLE", "app=v1 STRICT (one)"],
  });
});

test("describeStrictness falls back to the mesh's, then to none at all", (t) => {
  t.is(describeStrictness(readPolicies(objects), "app-a").decidedBy, "signet-system/mesh");
  t.is(describeStrictness(readPolicies(objects), "ports").decidedBy, "signet-system/mesh");
  t.deepEqual(describeStrictness([], "app-a"), {
    mode: "PERMISSIVE",
    decidedBy: "no policy",
    exceptions: [],
  });
});

test("withoutOwnMode leaves out who has a mode of its own, and the mesh's namespace", (t) => {
  const namespaces = ["app-a", "app-b", "ports", "signet-system"];
  t.deepEqual(withoutOwnMode(readPolicies(objects), namespaces), ["app-a", "ports"]);
});

test("saysOnlyTheMode tells a policy that may go from one that says more", (t) => {
  t.true(saysOnlyTheMode(strictPolicy("signet-system", "STRICT")));
  const mtls = { mode: "STRICT" };
  t.false(saysOnlyTheMode(policy("x", "default", { mtls, portLevelMtls: {} })));
  const labelled = { name: "default", namespace: "x", labels: { team: "x" } };
  t.false(saysOnlyTheMode({ ...strictPolicy("x", "STRICT"), metadata: labelled }));
});
