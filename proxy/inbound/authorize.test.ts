import test from "ava";
import { array, assert, constantFrom, integer, property, record, tuple } from "fast-check";
import type { MtlsMode } from "#/api/policy.ts";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { parseSpiffeId, trustDomainOf } from "#/identity/spiffe-id.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { authorize } from "./authorize.ts";
import type { InboundRules } from "./authorize.ts";

const own = parseSpiffeId("spiffe://cluster.local/ns/b/sa/b");
const member = parseSpiffeId("spiffe://cluster.local/ns/a/sa/a");
const other = parseSpiffeId("spiffe://cluster.local/ns/a/sa/ab");
const partner = parseSpiffeId("spiffe://partner.mesh/ns/a/sa/a");
const stranger = parseSpiffeId("spiffe://cluster.local.evil/ns/a/sa/a");
const policy = (
  mode: MtlsMode,
  ports: readonly [number, MtlsMode][] = [],
  suspended: readonly SpiffeId[] = [],
  requiresPostQuantum = false,
  foreignCallers: readonly string[] = [],
): InboundRules => ({
  policy: {
    mode,
    ports: new Map(ports),
    requiresPostQuantum,
    foreignCallers: new Set(foreignCallers),
    source: "test",
  },
  suspended: new Set(suspended),
  federated: new Set([trustDomainOf(partner)]),
});

const foreigners = (...callers: readonly string[]): InboundRules =>
  policy("strict", [], [], false, callers);

const rows: readonly [string, InboundRules | null, number, SpiffeId | null, string][] = [
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
  [
    "an identity of a federated trust domain that no policy names",
    policy("permissive"),
    80,
    partner,
    "foreign_identity_unnamed",
  ],
  [
    "an identity of a federated trust domain of which another is named",
    foreigners(`${partner}b`, "spiffe://partner.mesh/ns/a/sa/b"),
    80,
    partner,
    "foreign_identity_unnamed",
  ],
  [
    "attack-7 an identity of a federated trust domain where a look-alike domain is named",
    foreigners("spiffe://partner.mes", "spiffe://partner.mesh.evil"),
    80,
    partner,
    "foreign_identity_unnamed",
  ],
  [
    "an identity of a federated trust domain that is named",
    foreigners(partner),
    80,
    partner,
    "allow",
  ],
  [
    "an identity of a federated trust domain that is named whole",
    foreigners("spiffe://partner.mesh"),
    80,
    partner,
    "allow",
  ],
  [
    "an identity that is named, of a trust domain that is not federated",
    foreigners(stranger, "spiffe://cluster.local.evil"),
    80,
    stranger,
    "foreign_trust_domain",
  ],
  [
    "an identity of a federated trust domain that is named, and suspended",
    policy("strict", [], [partner], false, [partner]),
    80,
    partner,
    "identity_suspended",
  ],
  [
    "attack-7 a trust domain of which ours is the end",
    policy("strict"),
    80,
    parseSpiffeId("spiffe://evil.cluster.local/ns/a/sa/a"),
    "foreign_trust_domain",
  ],
  [
    "attack-27 plaintext on a port that no policy names",
    policy("strict", [[8080, "permissive"]]),
    9999,
    null,
    "plaintext_under_strict",
  ],
  [
    "attack-41 plaintext under a mode that is not known",
    policy("lenient" as MtlsMode),
    80,
    null,
    "plaintext_under_strict",
  ],
  [
    "attack-41 plaintext on a port of a mode that is not known",
    policy("permissive", [[80, "" as MtlsMode]]),
    80,
    null,
    "plaintext_under_strict",
  ],
  [
    "attack-41 a strict port of a pod without mTLS",
    policy("disable", [[80, "strict"]]),
    80,
    null,
    "plaintext_under_strict",
  ],
  [
    "a suspended member under STRICT",
    policy("strict", [], [member]),
    80,
    member,
    "identity_suspended",
  ],
  [
    "a suspended member under DISABLE",
    policy("disable", [], [member]),
    80,
    member,
    "identity_suspended",
  ],
  [
    "a member that calls a suspended pod",
    policy("permissive", [], [own]),
    80,
    member,
    "identity_suspended",
  ],
  ["a member beside a suspended one", policy("strict", [], [other]), 80, member, "allow"],
  ["plaintext to a suspended pod, as policy says", policy("disable", [], [own]), 80, null, "allow"],
  ["plaintext under DISABLE", policy("disable"), 80, null, "allow"],
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
    const verdict = authorize(rule, { port, identity, group: "" }, own);
    t.is(verdict.kind === "deny" ? verdict.reason : "allow", expected);
  });
}

const demanding = policy("strict", [], [], true);
const groups: readonly [string, InboundRules, string, string][] = [
  ["a hybrid group where one is demanded", demanding, "X25519MLKEM768", "allow"],
  ["X25519 where a hybrid group is demanded", demanding, "X25519", "key_exchange_classical"],
  ["P-256 where a hybrid group is demanded", demanding, "prime256v1", "key_exchange_classical"],
  ["a group that is not known", demanding, "unknown", "key_exchange_classical"],
  ["no group at all", demanding, "", "key_exchange_classical"],
  ["a group whose name begins alike", demanding, "X25519MLKEM7680", "key_exchange_classical"],
  [
    "X25519 on a permissive port of a demanding pod",
    policy("strict", [[80, "permissive"]], [], true),
    "X25519",
    "key_exchange_classical",
  ],
  ["X25519 where nothing is demanded", policy("strict"), "X25519", "allow"],
];
for (const [what, rule, group, expected] of groups) {
  test(`authorize a member by ${what}: ${expected}`, (t) => {
    const verdict = authorize(rule, { port: 80, identity: member, group }, own);
    t.is(verdict.kind === "deny" ? verdict.reason : "allow", expected);
  });
}

test("authorize property: plaintext passes only where the port's own mode says so, strangers never", (t) => {
  const mode = constantFrom<MtlsMode>("strict", "permissive", "disable");
  const port = integer({ min: 1, max: 5 });
  const claim = record({
    port,
    identity: constantFrom(null, member, stranger),
    group: constantFrom(""),
  });
  assert(
    property(mode, array(tuple(port, mode)), claim, (base, ports, asked) => {
      const { kind } = authorize(policy(base, ports), asked, own);
      if (asked.identity === stranger) return kind === "deny";
      if (asked.identity === member) return kind === "allow";
      const decided = ports.findLast(([which]) => which === asked.port)?.[1] ?? base;
      return kind === (decided === "strict" ? "deny" : "allow");
    }),
    fuzzOptions(t, 500),
  );
  t.pass();
});
