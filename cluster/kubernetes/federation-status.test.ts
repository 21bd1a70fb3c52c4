import test from "ava";
import type { Condition } from "./condition.ts";
import { dueFederationPatch, keepFederation } from "./federation-status.ts";
import type { BundleState, FederationStatusView } from "./federation-status.ts";
import type { RawObject } from "./reflection.ts";

const now = Date.UTC(2026, 0, 1);
const good = {
  trustDomain: "partner.mesh",
  bundleEndpointURL: "https://partner.example",
  bundleEndpointProfile: { type: "https_web" },
};
const object = (spec: unknown, conditions?: unknown): RawObject => ({
  metadata: { name: "partner", generation: 3 },
  spec,
  status: conditions === undefined ? undefined : { conditions },
});

function due(
  given: RawObject,
  isInForce: boolean,
  fault: string | null,
  bundle: BundleState | null,
): readonly Condition[] | null {
  const view: FederationStatusView = {
    isInForce: () => isInForce,
    faultOf: () => fault,
    bundleOf: () => bundle,
  };
  const patch = dueFederationPatch("partner", keepFederation(given), view, now);
  if (patch === null) return null;
  return (patch.body as { status: { conditions: readonly Condition[] } }).status.conditions;
}

const saidOf = (conditions: readonly Condition[] | null): readonly string[] =>
  (conditions ?? []).map(
    ({ type, status, reason, message }) => `${type} ${status} ${reason}: ${message}`,
  );

test("dueFederationPatch says that it is in force and that the bundle was fetched, once", (t) => {
  const said = due(object(good), true, null, { fault: null, isHeld: true });
  t.deepEqual(saidOf(said), [
    "Accepted True Accepted: In force",
    "BundleFetched True Fetched: The bundle is had",
  ]);
  t.is(due(object(good, said), true, null, { fault: null, isHeld: true }), null);
  t.deepEqual(saidOf(due(object(good), true, null, null)), ["Accepted True Accepted: In force"]);
});

test("dueFederationPatch says what is wrong with the bundle, and what holds instead", (t) => {
  const fault = { reason: "EndpointUntrusted", message: "It is somebody else" };
  const [, held] = saidOf(due(object(good), true, null, { fault, isHeld: true }));
  t.is(held, "BundleFetched False EndpointUntrusted: It is somebody else; the last good one holds");
  const [, none] = saidOf(due(object(good), true, null, { fault, isHeld: false }));
  t.regex(none ?? "", /nobody of that trust domain is believed$/);
});

test("dueFederationPatch says what is wrong with the object, and nothing of one that is not known", (t) => {
  t.is(due(object(good), false, null, null), null);
  const [unread] = saidOf(due(object({}), false, null, null));
  t.regex(unread ?? "", /^Accepted False Invalid: .*spec\.trustDomain.*federates with nobody$/);
  const [kept] = saidOf(due(object(good), true, "it is the mesh's own", null));
  t.regex(kept ?? "", /^Accepted False Invalid: it is the mesh's own.*stays in force$/);
});
