// The IdentitySuspension definition as it ships, on a real API server: what it takes, the sentence with which
// it refuses, and what people see of it.
import { fileURLToPath } from "node:url";
import test from "ava";
import { decodeObject } from "#/cluster/decode.ts";
import { ControlPlane } from "./control-plane.ts";
import { eventually } from "./eventually.ts";

const shipped = fileURLToPath(new URL("../../k8s/crds/", import.meta.url));
const definition = "identitysuspensions.signet.dev";

let plane: ControlPlane;
test.before(async () => {
  plane = await ControlPlane.start();
  await plane.kubectl("apply", "--server-side", "-k", shipped);
  await plane.established(definition);
});
test.after.always(() => plane?.[Symbol.asyncDispose]());

const identity = "spiffe://cluster.local/ns/app-a/sa/app-a";
const reason = "its key was seen in a log";

let made = 0;
const suspension = (spec: unknown) => {
  made += 1;
  const metadata = { name: `s-${made}` };
  return { apiVersion: "signet.dev/v1alpha1", kind: "IdentitySuspension", metadata, spec };
};

const good: readonly [what: string, spec: object][] = [
  ["an identity and a reason", { identity, reason }],
  ["names with dots and dashes", { identity: "spiffe://a.b-c/ns/x-1/sa/y.z_0", reason }],
  ["an identity of another shape", { identity: "spiffe://example.org/billing", reason }],
  [
    "a workload of the mesh's namespace that is not the mesh",
    { identity: "spiffe://cluster.local/ns/signet-system/sa/default", reason },
  ],
];
for (const [what, spec] of good) {
  test.serial(`the definition takes ${what}, and the controller reads it`, async (t) => {
    const object = suspension(spec);
    await plane.apply(object);
    t.notThrows(() => decodeObject(object));
  });
}

const noId = /identity: Invalid value: .* should match/;
const own = /is the mesh's own; without it nobody could be told of anything any more/;
const bad: readonly [what: string, spec: unknown, sentence: RegExp][] = [
  ["no spec", undefined, /missing required field "spec"/],
  ["no identity", { reason }, /missing required field "identity"/],
  ["no reason", { identity }, /missing required field "reason"/],
  ["an empty reason", { identity, reason: "" }, /reason: Invalid value: "": .*at least 1 chars/],
  ["what is no SPIFFE ID", { identity: "app-a", reason }, noId],
  ["a trust domain alone", { identity: "spiffe://cluster.local", reason }, noId],
  ["a trust domain in upper case", { identity: "spiffe://Cluster.local/ns/a/sa/a", reason }, noId],
  ["a query", { identity: `${identity}?x=1`, reason }, noId],
  ["an empty segment", { identity: "spiffe://cluster.local/ns//sa/a", reason }, noId],
  [
    "a segment of dots",
    { identity: "spiffe://cluster.local/ns/../sa/a", reason },
    /has a segment that is \. or \.\., which no SPIFFE ID has/,
  ],
  [
    "the controller's identity",
    { identity: "spiffe://cluster.local/ns/signet-system/sa/signet-controller", reason },
    own,
  ],
  [
    "the injector's identity",
    { identity: "spiffe://cluster.local/ns/signet-system/sa/signet-injector", reason },
    own,
  ],
  ["a field that it does not know", { identity, reason, until: "noon" }, /unknown field "until"/],
  [
    "an identity that is too long",
    { identity: `spiffe://a/${"b".repeat(2048)}`, reason },
    /Too long: may not be more than 2048/,
  ],
];
for (const [what, spec, sentence] of bad) {
  test.serial(`the definition refuses ${what}`, async (t) => {
    const refused = await t.throwsAsync(plane.apply(suspension(spec)));
    t.regex(refused?.message ?? "", sentence);
  });
}

test.serial(
  "a suspension cannot be turned to somebody else; its reason can be told anew",
  async (t) => {
    const object = suspension({ identity, reason });
    await plane.apply(object);
    await plane.apply({ ...object, spec: { identity, reason: "it was a false alarm" } });
    const other = { identity: "spiffe://cluster.local/ns/b/sa/b", reason };
    const refused = await t.throwsAsync(plane.apply({ ...object, spec: other }));
    t.regex(
      refused?.message ?? "",
      /cannot be changed; delete this suspension and create another one/,
    );
  },
);

test.serial("the definition has short names, a category, columns and help", async (t) => {
  const object = suspension({ identity, reason });
  const { name } = object.metadata;
  await plane.apply(object);
  const condition = {
    type: "Accepted",
    status: "True",
    reason: "Accepted",
    message: "In force",
    observedGeneration: 1,
    lastTransitionTime: "2026-01-01T00:00:00Z",
  };
  const status = JSON.stringify({ status: { conditions: [condition] }, spec: { reason: "no" } });
  const patch = ["--subresource=status", "--type=merge", "-p", status];
  await plane.kubectl("patch", "identitysuspension", name, ...patch);
  const shown = (): Promise<string> => plane.kubectl("get", "suspension", name);
  await eventually(async () => (await shown()).includes("True"));
  t.regex(await shown(), /^NAME\s+IDENTITY\s+ACCEPTED\s+REASON\s+AGE\s/);
  t.regex(
    await shown(),
    /app-a\s+True\s+its key was seen in a log/,
    "the status alone was written",
  );
  t.regex(await plane.kubectl("get", "suspensions", name, "-o", "wide"), /MESSAGE[\s\S]*In force/);
  t.regex(await plane.kubectl("get", "signet"), new RegExp(name));
  const help = await plane.kubectl("explain", "identitysuspension.spec", "--recursive=false");
  for (const field of ["identity", "reason"]) t.regex(help, new RegExp(field));
  t.notRegex(help, /<no description>/);
});
