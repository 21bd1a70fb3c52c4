import test from "ava";
import type { MtlsMode, ServerPolicy } from "#/api/policy.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { authorize } from "./authorize.ts";
import { Leases } from "./leases.ts";

const trustDomain = parseTrustDomain("cluster.local");
const member = parseSpiffeId("spiffe://cluster.local/ns/a/sa/a");
const stranger = parseSpiffeId("spiffe://cluster.local.evil/ns/a/sa/a");
const policy = (mode: MtlsMode, ports: readonly [number, MtlsMode][] = []): ServerPolicy => ({
  mode,
  ports: new Map(ports),
  source: "test",
});

const rows: readonly [string, ServerPolicy | null, number, SpiffeId | null, string][] = [
  ["anything before the first policy", null, 80, member, "no_policy"],
  ["plaintext before the first policy", null, 80, null, "no_policy"],
  ["attack-27 plaintext under STRICT", policy("strict"), 80, null, "plaintext_under_strict"],
  [
    "attack-27 plaintext on a strict port",
    policy("permissive", [[80, "strict"]]),
    80,
    null,
    "plaintext_under_strict",
  ],
  [
    "attack-7 a look-alike trust domain under STRICT",
    policy("strict"),
    80,
    stranger,
    "foreign_trust_domain",
  ],
  [
    "attack-7 a look-alike trust domain under PERMISSIVE",
    policy("permissive"),
    80,
    stranger,
    "foreign_trust_domain",
  ],
  [
    "attack-7 a look-alike trust domain under DISABLE",
    policy("disable"),
    80,
    stranger,
    "foreign_trust_domain",
  ],
  ["a member under STRICT", policy("strict"), 80, member, "allow"],
  ["a member under DISABLE", policy("disable"), 80, member, "allow"],
  ["plaintext under PERMISSIVE", policy("permissive"), 80, null, "allow"],
  [
    "plaintext on a permissive port of a strict pod",
    policy("strict", [[80, "permissive"]]),
    80,
    null,
    "allow",
  ],
];
for (const [what, rule, port, identity, expected] of rows) {
  test(`authorize ${what}: ${expected}`, (t) => {
    const verdict = authorize(rule, { port, identity }, trustDomain);
    t.is(verdict.kind === "deny" ? verdict.reason : "allow", expected);
  });
}

test("leases are judged again when the policy changes, and revoked at once", (t) => {
  const leases = new Leases(trustDomain);
  const revoked: string[] = [];
  const lease = (name: string, identity: SpiffeId | null) => ({
    claim: { port: 80, identity },
    revoke: (reason: string) => revoked.push(`${name}: ${reason}`),
  });
  leases.add(lease("plain", null));
  leases.add(lease("member", member));
  t.is(leases.judge(policy("permissive")), 0);
  t.is(leases.judge(policy("strict")), 1);
  t.deepEqual(revoked, ["plain: plaintext_under_strict"]);
  t.is(leases.size, 1);
});
