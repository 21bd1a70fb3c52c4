import test from "ava";
import { mayTake } from "./lease.ts";

const cases: readonly [title: string, holder: string | null, ageMs: number, verdict: boolean][] = [
  ["one that was never made", null, 0, true],
  ["our own", "me", 60_000, true],
  ["one that was given back", "", 0, true],
  ["another's that was renewed just now", "other", 0, false],
  ["another's that did not change for 14.9 s", "other", 14_999, false],
  ["another's that did not change for 15 s", "other", 15_000, true],
];
for (const [title, holder, ageMs, verdict] of cases) {
  test(`mayTake ${verdict ? "takes" : "leaves"} ${title}`, (t) => {
    const seen = holder === null ? null : { holder, since: 1_000 };
    t.is(mayTake(seen, "me", 1_000 + ageMs), verdict);
  });
}
