import test from "ava";
import { renewalAtMs } from "./renewal.ts";

const issuedAt = Date.UTC(2026, 0, 1);
const minute = 60_000;

test("renewalAtMs is a third of the life that is left, spread by a tenth", (t) => {
  const life = { issuedAt, notAfter: issuedAt + 15 * minute };
  t.is(renewalAtMs(life, 0), issuedAt + 4.5 * minute);
  t.is(renewalAtMs(life, 0.5), issuedAt + 5 * minute);
  t.true(renewalAtMs(life, 0.999999) <= issuedAt + 5.5 * minute);
});

test("renewalAtMs leaves two thirds for an outage, also of the shortest life", (t) => {
  const life = { issuedAt, notAfter: issuedAt + 30_000 };
  t.true(life.notAfter - renewalAtMs(life, 0.999999) >= 19_000);
});

test("attack-18 renewalAtMs by a clock that is ahead or behind stays within the life", (t) => {
  const notAfter = issuedAt + 15 * minute;
  const ahead = { issuedAt: issuedAt + 10 * minute, notAfter };
  t.true(renewalAtMs(ahead, 0.5) > ahead.issuedAt);
  t.true(renewalAtMs(ahead, 0.5) < notAfter);
  const behind = { issuedAt: issuedAt - 10 * minute, notAfter };
  t.true(renewalAtMs(behind, 0.5) < notAfter);
});

test("renewalAtMs of a life that has ended is now", (t) => {
  t.is(renewalAtMs({ issuedAt, notAfter: issuedAt }, 0.5), issuedAt);
  t.is(renewalAtMs({ issuedAt, notAfter: issuedAt - 1 }, 0.5), issuedAt);
});
