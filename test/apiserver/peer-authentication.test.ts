// The PeerAuthentication definition as it ships, on a real API server: what it takes, the sentence with
// which it refuses, and what people see of it. What one object cannot tell (two policies for the same
// pods) is the status's to say: fail-closed.test.ts.
import path from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { decodeObject } from "#/cluster/decode.ts";
import { ControlPlane } from "./control-plane.ts";
import { eventually } from "./eventually.ts";

const shipped = fileURLToPath(new URL("../../k8s/crds/", import.meta.url));

let plane: ControlPlane;
test.before(async () => {
  plane = await ControlPlane.start();
  await plane.kubectl("apply", "--server-side", "-k", shipped);
  await plane.established("peerauthentications.signet.dev");
});
test.after.always(() => plane?.[Symbol.asyncDispose]());

let made = 0;
const policy = (spec: unknown): object => {
  made += 1;
  return {
    apiVersion: "signet.dev/v1alpha1",
    kind: "PeerAuthentication",
    metadata: { namespace: "default", name: `p-${made}` },
    spec,
  };
};
const strict = { mode: "STRICT" };
const selecting = (matchLabels: unknown): object => ({ mtls: strict, selector: { matchLabels } });
const onPort = (port: string, mode: unknown = "DISABLE"): object => ({
  portLevelMtls: { [port]: { mode } },
});

const good: readonly [what: string, spec: object][] = [
  ["a mode alone", { mtls: strict }],
  ["PERMISSIVE", { mtls: { mode: "PERMISSIVE" } }],
  ["DISABLE", { mtls: { mode: "DISABLE" } }],
  ["a selector", selecting({ app: "web", "app.kubernetes.io/name": "a_b.c-d" })],
  ["a label without a value", selecting({ canary: "" })],
  ["single ports of a whole namespace", { mtls: strict, ...onPort("8080") }],
  ["ports without a mode of its own", onPort("1")],
  ["the last port", onPort("65535")],
];
for (const [what, spec] of good) {
  test.serial(`the definition takes ${what}, and the controller reads it`, async (t) => {
    const object = policy(spec);
    await plane.apply(object);
    t.notThrows(() => decodeObject(object));
  });
}

const noLabel = /matchLabels: Invalid value: .*names no label; name one, or leave the selector out/;
const noPort =
  /portLevelMtls: Invalid value: .*has a key that is not a port number from 1 to 65535/;
const bad: readonly [what: string, spec: unknown, sentence: RegExp][] = [
  ["no spec", undefined, /missing required field "spec"/],
  [
    "a spec that says nothing",
    {},
    /spec: Invalid value: .*says nothing; give mtls\.mode, portLevelMtls/,
  ],
  [
    "a selector alone",
    { selector: { matchLabels: { app: "web" } } },
    /says nothing; give mtls\.mode/,
  ],
  [
    "a mode that is none",
    { mtls: { mode: "SOMETIMES" } },
    /spec\.mtls\.mode: Unsupported value: "SOMETIMES": supported values: "STRICT", "PERMISSIVE", "DISABLE"/,
  ],
  ["a mode in lower case", { mtls: { mode: "strict" } }, /Unsupported value: "strict"/],
  ["no mode", { mtls: {} }, /PeerAuthentication\.spec\.mtls\): missing required field "mode"/],
  [
    "a key agreement that is none",
    { mtls: { mode: "STRICT", postQuantum: "YES" } },
    /postQuantum: Unsupported value: "YES": supported values: "PREFER", "REQUIRE"/,
  ],
  [
    "post-quantum keys beside plaintext",
    { mtls: { mode: "PERMISSIVE", postQuantum: "REQUIRE" } },
    /takes plaintext, which has no keys; postQuantum REQUIRE needs mode STRICT/,
  ],
  ["a field that it does not know", { mtls: strict, mtsl: strict }, /unknown field "mtsl"/],
  ["a selector without labels", selecting({}), noLabel],
  [
    "a selector that is empty",
    { mtls: strict, selector: {} },
    /selector\): missing required field "matchLabels"/,
  ],
  [
    "expressions, which are not honoured",
    { mtls: strict, selector: { matchExpressions: [{ key: "app", operator: "Exists" }] } },
    /unknown field "matchExpressions"/,
  ],
  ["a label with a wrong key", selecting({ "a b": "c" }), /has a key that no label can have/],
  ["a label with a wrong value", selecting({ app: "a b" }), /has a value that no label can have/],
  [
    "a label with a long value",
    selecting({ app: "a".repeat(64) }),
    /Too long: may not be more than 63/,
  ],
  ["no port", { mtls: strict, portLevelMtls: {} }, /portLevelMtls: Invalid value: .*names no port/],
  ["port 0", onPort("0"), noPort],
  ["port 70000", onPort("70000"), noPort],
  ["port 08080", onPort("08080"), noPort],
  ["a port by its name", onPort("http"), noPort],
  [
    "a port with a mode that is none",
    onPort("80", "ON"),
    /portLevelMtls\.80\.mode: Unsupported value: "ON"/,
  ],
];
for (const [what, spec, sentence] of bad) {
  test.serial(`the definition refuses ${what}`, async (t) => {
    const refused = await t.throwsAsync(plane.apply(policy(spec)));
    t.regex(refused?.message ?? "", sentence);
  });
}

test.serial("the definition has short names, a category, columns and help", async (t) => {
  const object = policy({ mtls: strict }) as { readonly metadata: { readonly name: string } };
  const { name } = object.metadata;
  await plane.apply(object);
  const condition = {
    type: "Accepted",
    status: "False",
    reason: "Conflicted",
    message: "Not in force",
    observedGeneration: 1,
    lastTransitionTime: "2026-01-01T00:00:00Z",
  };
  const status = JSON.stringify({
    status: { conditions: [condition] },
    spec: { mtls: { mode: "NO" } },
  });
  const patch = ["--subresource=status", "--type=merge", "-p", status];
  await plane.kubectl("patch", "peerauthentication", name, ...patch);
  await eventually(async () => (await plane.kubectl("get", "pa", name)).includes("Conflicted"));
  const shown = await plane.kubectl("get", "pa", name);
  t.regex(shown, /^NAME\s+MODE\s+ACCEPTED\s+REASON\s+AGE\s/);
  t.regex(shown, /STRICT\s+False\s+Conflicted/, "the status alone was written");
  t.regex(await plane.kubectl("get", "pa", name, "-o", "wide"), /MESSAGE[\s\S]*Not in force/);
  t.regex(await plane.kubectl("get", "signet"), new RegExp(name));
  const help = await plane.kubectl("explain", "peerauthentication.spec", "--recursive=false");
  for (const field of ["selector", "mtls", "portLevelMtls"]) t.regex(help, new RegExp(field));
  t.notRegex(help, /<no description>/);
});

test("the definition can be applied twice", async (t) => {
  const again = await plane.kubectl(
    "apply",
    "--server-side",
    "-f",
    path.join(shipped, "peerauthentication.yaml"),
  );
  t.regex(again, /serverside-applied/);
});
