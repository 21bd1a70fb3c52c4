import test from "ava";
import type { MtlsMode } from "#/api/policy.ts";
import { parseSpiffeId, trustDomainOf } from "#/identity/spiffe-id.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import type { InboundRules } from "./authorize.ts";
import { Leases } from "./leases.ts";
import type { Lease } from "./leases.ts";

const own = parseSpiffeId("spiffe://cluster.local/ns/b/sa/b");
const member = parseSpiffeId("spiffe://cluster.local/ns/a/sa/a");
const stranger = parseSpiffeId("spiffe://other.local/ns/a/sa/a");
const policy = (
  mode: MtlsMode,
  ports: readonly [number, MtlsMode][] = [],
  suspended: readonly SpiffeId[] = [],
  federated: readonly TrustDomain[] = [],
): InboundRules => ({
  policy: {
    mode,
    ports: new Map(ports),
    requiresPostQuantum: false,
    foreignCallers: new Set(["spiffe://other.local"]),
    source: "test",
  },
  suspended: new Set(suspended),
  federated: new Set(federated),
});

class Fixture {
  readonly leases = new Leases(own);
  readonly revoked: string[] = [];

  add(name: string, identity: SpiffeId | null, port = 80, then: () => void = () => {}): Lease {
    const lease: Lease = {
      claim: { port, identity, group: "" },
      revoke: (reason) => {
        this.revoked.push(`${name}: ${reason}`);
        then();
      },
    };
    this.leases.add(lease);
    return lease;
  }
}

test("leases are judged again when the policy changes, and revoked before judge returns", (t) => {
  const fixture = new Fixture();
  fixture.add("plain", null);
  fixture.add("member", member);
  t.is(fixture.leases.judge(policy("permissive")), 0);
  t.is(fixture.leases.judge(policy("strict")), 1);
  t.deepEqual(fixture.revoked, ["plain: plaintext_under_strict"]);
  t.is(fixture.leases.size, 1);
});

test("leases of an identity are revoked when it is suspended, and all of a suspended pod's", (t) => {
  const fixture = new Fixture();
  fixture.add("plain", null);
  fixture.add("member", member);
  fixture.add("other", parseSpiffeId("spiffe://cluster.local/ns/c/sa/c"));
  t.is(fixture.leases.judge(policy("permissive", [], [member])), 1);
  t.is(fixture.leases.judge(policy("permissive", [], [own])), 1);
  t.deepEqual(fixture.revoked, ["member: identity_suspended", "other: identity_suspended"]);
  t.is(fixture.leases.size, 1);
});

test("leases on other ports stay when one port becomes strict", (t) => {
  const fixture = new Fixture();
  fixture.add("web", null, 80);
  fixture.add("metrics", null, 9090);
  t.is(fixture.leases.judge(policy("permissive", [[80, "strict"]])), 1);
  t.deepEqual(fixture.revoked, ["web: plaintext_under_strict"]);
});

test("leases are all revoked when there is no policy, and those of strangers under any", (t) => {
  const fixture = new Fixture();
  fixture.add("stranger", stranger);
  fixture.add("member", member);
  t.is(fixture.leases.judge(policy("disable")), 1);
  t.is(fixture.leases.judge(null), 1);
  t.deepEqual(fixture.revoked, ["stranger: foreign_trust_domain", "member: no_policy"]);
  t.is(fixture.leases.size, 0);
});

test("leases are revoked once, and not after they were removed", (t) => {
  const fixture = new Fixture();
  const gone = fixture.add("gone", null);
  fixture.add("plain", null);
  fixture.leases.remove(gone);
  fixture.leases.remove(gone);
  t.is(fixture.leases.judge(policy("strict")), 1);
  t.is(fixture.leases.judge(policy("strict")), 0);
  t.deepEqual(fixture.revoked, ["plain: plaintext_under_strict"]);
});

test("leases that a revocation removes or adds are not missed", (t) => {
  const fixture = new Fixture();
  const first: Lease[] = [];
  first.push(
    fixture.add("first", null, 80, () => {
      fixture.leases.remove(first[0]!);
      fixture.leases.remove(first[1]!);
      fixture.add("late", null);
    }),
  );
  first.push(fixture.add("second", null));
  fixture.add("third", null);
  t.is(fixture.leases.judge(policy("strict")), 3);
  t.deepEqual(
    fixture.revoked.map((line) => line.split(":")[0]),
    ["first", "third", "late"],
  );
  t.is(fixture.leases.size, 0);
});

test("leases are all judged even when closing one of them fails", (t) => {
  const fixture = new Fixture();
  fixture.add("broken", null, 80, () => {
    throw new Error("Cannot close");
  });
  fixture.add("plain", null);
  const error = t.throws(() => fixture.leases.judge(policy("strict")), {
    instanceOf: AggregateError,
    message: "Cannot close connections",
  });
  t.is(error?.errors.length, 1);
  t.is(fixture.revoked.length, 2);
  t.is(fixture.leases.size, 0);
});

test("leases of a trust domain are revoked when the federation with it is withdrawn", (t) => {
  const fixture = new Fixture();
  fixture.add("stranger", stranger);
  fixture.add("member", member);
  t.is(fixture.leases.judge(policy("strict", [], [], [trustDomainOf(stranger)])), 0);
  t.is(fixture.leases.judge(policy("strict")), 1);
  t.deepEqual(fixture.revoked, ["stranger: foreign_trust_domain"]);
  t.is(fixture.leases.size, 1);
});

test("leases of a foreign caller are revoked when no policy names him any more", (t) => {
  const fixture = new Fixture();
  fixture.add("stranger", stranger);
  const named = policy("strict", [], [], [trustDomainOf(stranger)]);
  t.is(fixture.leases.judge(named), 0);
  const unnamed = { ...named, policy: { ...named.policy, foreignCallers: new Set<string>() } };
  t.is(fixture.leases.judge(unnamed), 1);
  t.deepEqual(fixture.revoked, ["stranger: foreign_identity_unnamed"]);
});
