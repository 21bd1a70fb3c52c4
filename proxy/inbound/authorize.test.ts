import test from "ava";
import { array, assert, constantFrom, integer, property, record, tuple } from "fast-check";
import type { MtlsMode, ServerPolicy } from "#/api/policy.ts";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { authorize } from "./authorize.ts";

const trustDomain = parseTrustDomain("cluster.local");
const member = parseSpiffeId("spiffe://cluster.local/ns/a/sa/a");
const stranger = parseSpiffeId("spiffe://cluster.local.evil/ns/a/sa/a");
const policy = (mode: MtlsMode, ports: readonly [number, MtlsMode][] = []): ServerPolicy => ({
  mode,
  ports: new Map(ports),
  requiresPostQuantum: false,
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
    const verdict = authorize(rule, { port, identity, group: "" }, trustDomain);
    t.is(verdict.kind === "deny" ? verdict.reason : "allow", expected);
  });
}

const demanding: ServerPolicy = { ...policy("strict"), requiresPostQuantum: true };
const groups: readonly [string, ServerPolicy, string, string][] = [
  ["a hybrid group where one is demanded", demanding, "X25519MLKEM768", "allow"],
  ["X25519 where a hybrid group is demanded", demanding, "X25519", "key_exchange_classical"],
  ["P-256 where a hybrid group is demanded", demanding, "prime256v1", "key_exchange_classical"],
  ["a group that is not known", demanding, "unknown", "key_exchange_classical"],
  ["no group at all", demanding, "", "key_exchange_classical"],
  ["a group whose name begins alike", demanding, "X25519MLKEM7680", "key_exchange_classical"],
  [
    "X25519 on a permissive port of a demanding pod",
    { ...demanding, ports: new Map([[80, "permissive"]]) },
    "X25519",
    "key_exchange_classical",
  ],
  ["X25519 where nothing is demanded", policy("strict"), "X25519", "allow"],
];
for (const [what, rule, group, expected] of groups) {
  test(`authorize a member by ${what}: ${expected}`, (t) => {
    const verdict = authorize(rule, { port: 80, identity: member, group }, trustDomain);
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
    property(mode, array(tuple(port, mode)), claim, (own, ports, asked) => {
      const { kind } = authorize(policy(own, ports), asked, trustDomain);
      if (asked.identity === stranger) return kind === "deny";
      if (asked.identity === member) return kind === "allow";
      const decided = ports.findLast(([which]) => which === asked.port)?.[1] ?? own;
      return kind === (decided === "strict" ? "deny" : "allow");
    }),
    fuzzOptions(t, 500),
  );
  t.pass();
});
