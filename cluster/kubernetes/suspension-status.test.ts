import test from "ava";
import type { Condition } from "./condition.ts";
import type { RawObject } from "./reflection.ts";
import { dueSuspensionPatch, keepSuspension } from "./suspension-status.ts";
import type { SuspensionView } from "./suspension-status.ts";

const now = Date.UTC(2026, 0, 1);
const object = (spec: unknown, conditions?: unknown): RawObject => ({
  metadata: { name: "s", generation: 3 },
  spec,
  status: conditions === undefined ? undefined : { conditions },
});
const good = { identity: "spiffe://cluster.local/ns/a/sa/a", reason: "why" };

function due(given: RawObject, isInForce: boolean, fault: string | null = null): Condition | null {
  const view: SuspensionView = { isInForce: () => isInForce, faultOf: () => fault };
  const patch = dueSuspensionPatch("s", keepSuspension(given), view, now);
  if (patch === null) return null;
  const { status } = patch.body as { readonly status: { readonly conditions: [Condition] } };
  return status.conditions[0];
}

test("dueSuspensionPatch says that it is in force, once", (t) => {
  const said = due(object(good), true);
  t.deepEqual(said, {
    type: "Accepted",
    status: "True",
    reason: "Accepted",
    message: "In force",
    observedGeneration: 3,
    lastTransitionTime: "2026-01-01T00:00:00Z",
  });
  t.is(due(object(good, [said]), true), null);
});

test("dueSuspensionPatch says nothing of one that the index does not know yet", (t) => {
  t.is(due(object(good), false), null);
});

test("dueSuspensionPatch says what is wrong, and what holds instead", (t) => {
  const unread = due(object({ identity: "" }), false);
  t.is(unread?.status, "False");
  t.regex(unread?.message ?? "", /spec\.identity.*suspends nobody$/);
  t.regex(
    due(object(good), false, "it is the mesh's own")?.message ?? "",
    /^it is the mesh's own\. /,
  );
  t.regex(
    due(object({ ...good, reason: 7 }), true)?.message ?? "",
    /last version .* stays in force$/,
  );
});
