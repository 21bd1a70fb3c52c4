import test from "ava";
import { objectFaults } from "./schema.ts";
import { pathText } from "./shape.ts";

const faultsOf = (spec: object): readonly string[] =>
  objectFaults("IdentitySuspension", {
    apiVersion: "signet.dev/v1alpha1",
    kind: "IdentitySuspension",
    metadata: { name: "s" },
    spec,
  }).map(({ path, message }) => `${pathText(path)} ${message}`);

const identity = "spiffe://cluster.local/ns/a/sa/a";
const controller = "spiffe://cluster.local/ns/signet-system/sa/signet-controller";

test("objectFaults takes a suspension with an identity and a reason", (t) => {
  t.deepEqual(faultsOf({ identity, reason: "stolen" }), []);
});

for (const [what, spec, fault] of [
  ["without a reason", { identity }, /^spec\.reason is missing$/],
  ["with a reason that is none", { identity, reason: "" }, /^spec\.reason /],
  ["of no identity", { identity: "a/b", reason: "x" }, /^spec\.identity is refused: Cannot read/],
  ["of a number", { identity: 7, reason: "x" }, /^spec\.identity is refused/],
  ["of the controller", { identity: controller, reason: "x" }, /is the mesh's own/],
  ["with a field more", { identity, reason: "x", until: "noon" }, /^spec\.until is not understood/],
] as const) {
  test(`objectFaults refuses a suspension ${what}`, (t) => {
    const [found, ...more] = faultsOf(spec);
    t.regex(found ?? "", fault);
    t.deepEqual(more, []);
  });
}
