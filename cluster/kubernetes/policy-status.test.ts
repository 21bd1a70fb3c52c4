import test from "ava";
import type { Condition } from "./policy-status.ts";
import { conditionOf } from "./policy-status.ts";
import type { RawObject } from "./reflection.ts";

const now = Date.UTC(2026, 0, 1);

const policy = (mode: unknown, conditions?: unknown, generation = 3): RawObject => ({
  metadata: { name: "p", namespace: "n", generation },
  spec: { mtls: { mode } },
  status: conditions === undefined ? undefined : { conditions },
});

const said = (object: RawObject, at = now): Condition => {
  const condition = conditionOf(object, at);
  if (condition === null) throw new Error("nothing is said");
  return condition;
};

test("conditionOf accepts what can be read", (t) => {
  t.deepEqual(said(policy("STRICT")), {
    type: "Accepted",
    status: "True",
    reason: "Accepted",
    message: "In force",
    observedGeneration: 3,
    lastTransitionTime: "2026-01-01T00:00:00Z",
  });
});

test("conditionOf says what is wrong, where, and what stays in force", (t) => {
  const { status, message } = said(policy("SOMETIMES"));
  t.is(status, "False");
  t.regex(message, /PeerAuthentication "n\/p": spec\.mtls\.mode.*what was known before stays/);
});

test("conditionOf says nothing twice", (t) => {
  t.is(conditionOf(policy("STRICT", [said(policy("STRICT"))]), now + 5_000), null);
});

test("conditionOf keeps the time of the last turn while the answer is the same", (t) => {
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
  test(`conditionOf is not led astray by conditions ${JSON.stringify(conditions)}`, (t) => {
    t.is(said(policy("STRICT", conditions)).status, "True");
  });
}
