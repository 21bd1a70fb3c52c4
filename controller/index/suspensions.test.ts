import test from "ava";
import { decodeObject } from "#/cluster/decode.ts";
import type { IdentitySuspensionRecord } from "#/cluster/events.ts";
import { parseSpiffeId } from "#/identity/spiffe-id.ts";
import { Suspensions } from "./suspensions.ts";

const id = "spiffe://cluster.local/ns/app-a/sa/app-a";

function suspension(name: string, identity = id, reason = "why"): IdentitySuspensionRecord {
  return decodeObject({
    apiVersion: "signet.dev/v1alpha1",
    kind: "IdentitySuspension",
    metadata: { name, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { identity, reason },
  }) as IdentitySuspensionRecord;
}

test("suspensions hold while one object of them is there", (t) => {
  const it = new Suspensions();
  t.true(it.apply(suspension("one")));
  const first = it.suspended;
  t.false(it.apply(suspension("two", id, "another reason")), "the same identity");
  t.is(it.suspended, first, "the very same set while nothing changed");
  t.true(it.has(parseSpiffeId(id)));
  t.false(it.delete("one"));
  t.true(it.has(parseSpiffeId(id)));
  t.true(it.delete("two"));
  t.false(it.has(parseSpiffeId(id)));
  t.false(it.delete("two"));
});

test("suspensions are told with their reason, in order of their names", (t) => {
  const it = new Suspensions();
  it.apply(suspension("two", `${id}b`));
  it.apply(suspension("one"));
  const since = Date.UTC(2026, 0, 1);
  t.deepEqual(it.all(), [
    { name: "one", id: parseSpiffeId(id), reason: "why", since },
    { name: "two", id: parseSpiffeId(`${id}b`), reason: "why", since },
  ]);
});

for (const [what, identity, fault] of [
  ["no identity", "app-a", /does not begin with "spiffe:/],
  ["a trust domain alone", "spiffe://cluster.local", /has no path/],
  ["the controller", "spiffe://cluster.local/ns/signet-system/sa/signet-controller", /mesh's own/],
  ["the injector", "spiffe://other.org/ns/signet-system/sa/signet-injector", /mesh's own/],
] as const) {
  test(`suspensions refuse ${what}, and keep the last good one`, (t) => {
    const it = new Suspensions();
    t.false(it.apply(suspension("one", identity)));
    t.is(it.suspended.size, 0);
    t.regex(it.faultOf("one") ?? "", fault);
    t.false(it.isInForce("one"));
    it.apply(suspension("one"));
    t.is(it.faultOf("one"), null);
    t.false(it.apply(suspension("one", identity)));
    t.true(it.has(parseSpiffeId(id)));
    t.true(it.isInForce("one"));
    t.regex(it.faultOf("one") ?? "", fault);
    t.true(it.delete("one"));
    t.is(it.faultOf("one"), null);
  });
}

test("suspensions of a namespace that ends like the mesh's own are as good as any", (t) => {
  const it = new Suspensions();
  t.true(
    it.apply(suspension("one", "spiffe://cluster.local/ns/signet-system/sa/signet-controller-2")),
  );
});
