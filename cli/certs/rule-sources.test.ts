import test from "ava";
import { leafRules } from "#/identity/leaf-rules.ts";
import { pathRules } from "#/identity/path-rules.ts";
import { judgeHandshake } from "./endpoint.ts";
import { sourceOfRule } from "./rule-sources.ts";

test("sourceOfRule knows every rule that is checked", (t) => {
  const handshake = { version: "", cipher: "", group: "", alpn: "", isResumed: true };
  const seen = { ...handshake, verification: "", chain: [], elapsedMs: 0 };
  const checks = judgeHandshake(seen, { hasRoots: true, id: null, expected: "spiffe://a/b" });
  for (const { code } of [...leafRules, ...pathRules, ...checks])
    t.not(sourceOfRule(code), "", code);
  t.not(sourceOfRule("chain_trust_domain_foreign"), "");
  t.is(sourceOfRule("toString"), "");
});
