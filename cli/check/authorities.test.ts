import test from "ava";
import type { AuthorityState } from "../rotation.ts";
import { judgeAuthorities } from "./authorities.ts";

const dayMs = 86_400_000;
const life = (days: number) => ({
  fingerprint: "ab".repeat(32),
  notBefore: new Date(0).toISOString(),
  notAfter: new Date(days * dayMs).toISOString(),
});
const state: AuthorityState = {
  custody: "managed",
  place: "here",
  hasRootKey: true,
  areKeysWrapped: false,
  roots: [life(1_000)],
  intermediate: life(100),
  rotation: null,
  last: null,
  pending: null,
  refusal: null,
  fault: "",
  isDriven: true,
};
const said = (change: Partial<AuthorityState>, days: number): readonly string[] =>
  judgeAuthorities({ ...state, ...change }, days * dayMs).map(
    ({ verdict, what, next }) => `${verdict} ${what}${next === "" ? "" : ` -> ${next}`}`,
  );

test("judgeAuthorities leaves a managed intermediate to itself, until it should have been renewed", (t) => {
  const name = "intermediate abababababababab lives";
  t.is(said({}, 10)[1], `passed ${name} 90d 00h more, renewed by itself`);
  t.is(said({}, 60)[1], `passed ${name} 40d 00h more, renewed by itself`);
  const late = "less than 25 % of its life -> signet ca rotate intermediate";
  t.is(said({}, 80)[1], `info ${name} 20d 00h more: ${late}`);
  t.regex(said({}, 95)[1] ?? "", /^failed .*less than 10 %/);
});

test("judgeAuthorities alarms for an offline intermediate at 50, 25 and 10 % of its life", (t) => {
  const at = (days: number): string => said({ hasRootKey: false }, days)[1] ?? "";
  t.regex(at(49), /^passed .*51d 00h more$/);
  t.regex(at(50), /^info .*less than 50 % .* -> Make the next one where the root's key is/);
  t.regex(at(75), /^info .*less than 25 %/);
  t.regex(at(90), /^failed .*less than 10 %/);
  t.regex(at(100), /^failed .*has ended: nobody accepts/);
});

test("judgeAuthorities tells of roots, of a rotation and of what keeps it", (t) => {
  const since = new Date(dayMs).toISOString();
  const waiting = [{ kind: "proxy", name: "a/1", reason: "not_connected", since, bundle: null }];
  const rotation = { of: "root", step: "staged", waiting } as unknown as AuthorityState["rotation"];
  const told = said({ roots: [life(1_000), life(20)], rotation, fault: "no space" }, 15);
  t.regex(told[0] ?? "", /^passed root/);
  t.regex(
    told[1] ?? "",
    /^info further root .*less than 25 % of its life -> signet ca rotate root/,
  );
  t.regex(told[3] ?? "", /^failed the rotation does not go on: no space/);
  t.regex(told[4] ?? "", /^info the root is being rotated: staged, waits for a\/1: no controller/);
  const odd = { ...life(1), notAfter: null, notBefore: null };
  t.regex(said({ roots: [odd] }, 1)[0] ?? "", /^passed root .* is trusted/);
});
