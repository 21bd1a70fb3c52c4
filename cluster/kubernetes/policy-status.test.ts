import test from "ava";
import type { Condition } from "./condition.ts";
import type { PolicyView } from "./policy-status.ts";
import { duePatch, keepPolicy } from "./policy-status.ts";
import type { RawObject } from "./reflection.ts";

const now = Date.UTC(2026, 0, 1);

const policy = (mode: unknown, conditions?: unknown, generation = 3): RawObject => ({
  metadata: { name: "p", namespace: "n", generation },
  spec: { mtls: { mode } },
  status: conditions === undefined ? undefined : { conditions },
});
const view = (inForce: boolean, rival: string | null = null): PolicyView => ({
  has: () => inForce,
  rivalOf: () => rival,
  heldPods: (key) => `the pods that ${key} may select`,
});

const due = (object: RawObject, at = now, seen = view(true)): Condition | null => {
  const patch = duePatch("n/p", keepPolicy(object), seen, at);
  if (patch === null) return null;
  const { status } = patch.body as { readonly status: { readonly conditions: [Condition] } };
  return status.conditions[0];
};
const said = (...given: Parameters<typeof due>): Condition => {
  const condition = due(...given);
  if (condition === null) throw new Error("nothing is said");
  return condition;
};

test("duePatch accepts what can be read", (t) => {
  t.deepEqual(said(policy("STRICT")), {
    type: "Accepted",
    status: "True",
    reason: "Accepted",
    message: "In force",
    observedGeneration: 3,
    lastTransitionTime: "2026-01-01T00:00:00Z",
  });
});

test("duePatch says what is wrong, where, and that the last good version stays in force", (t) => {
  const { status, reason, message } = said(policy("SOMETIMES"));
  t.is(status, "False");
  t.is(reason, "Invalid");
  t.regex(
    message,
    /PeerAuthentication "n\/p": spec\.mtls\.mode.*the last version .* stays in force/,
  );
});

test("duePatch says what holds instead of a policy that never could be read", (t) => {
  const { status, message } = said(policy("SOMETIMES"), now, view(false));
  t.is(status, "False");
  t.regex(message, /spec\.mtls\.mode.*the pods that n\/p may select are held to STRICT$/);
});

test("duePatch names the policy that holds in another one's place", (t) => {
  const { status, reason, message } = said(policy("STRICT"), now, view(true, "n/first"));
  t.is(status, "False");
  t.is(reason, "Conflicted");
  t.regex(message, /^Not in force: PeerAuthentication "n\/first" speaks for the same pods/);
});

test("duePatch says nothing twice", (t) => {
  t.is(due(policy("STRICT", [said(policy("STRICT"))]), now + 5_000), null);
});

test("duePatch keeps the time of the last turn while the answer is the same", (t) => {
  const before = said(policy("STRICT"));
  const { observedGeneration, lastTransitionTime } = said(
    policy("DISABLE", [before], 4),
    now + 5_000,
  );
  t.is(observedGeneration, 4);
  t.is(lastTransitionTime, before.lastTransitionTime);
  t.is(said(policy("NO", [before], 4), now + 5_000).lastTransitionTime, "2026-01-01T00:00:05Z");
});

for (const conditions of [null, 1, "x", {}, [null], [1], [{ type: 7 }], [{ type: "Other" }]]) {
  test(`duePatch is not led astray by conditions ${JSON.stringify(conditions)}`, (t) => {
    t.is(said(policy("STRICT", conditions)).status, "True");
  });
}
