// One timer for every connection: who has waited too long is told within a sweep, and nobody else.
import test from "ava";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { Deadlines } from "./deadline.ts";
import type { Expiring } from "./deadline.ts";

const sweepMs = 250;

interface Member extends Expiring {
  told: number;
}

function member(deadlineMs: number): Member {
  return {
    deadlineMs,
    told: 0,
    onDeadline() {
      this.told += 1;
    },
  };
}

test("deadlines tell each member once, within a sweep of its time", (t) => {
  const clock = new ManualClock(1000);
  const deadlines = new Deadlines(clock);
  const [early, late] = [member(1600), member(9000)];
  deadlines.add(early);
  deadlines.add(late);
  clock.advance(599);
  t.is(early.told, 0);
  clock.advance(sweepMs);
  t.is(early.told, 1);
  t.is(early.deadlineMs, 0, "until it arms itself again");
  clock.advance(sweepMs * 10);
  t.is(early.told, 1);
  t.is(late.told, 0);
});

test("deadlines leave out 0, Infinity and who was removed", (t) => {
  const clock = new ManualClock(1000);
  const deadlines = new Deadlines(clock);
  const members = [member(0), member(Infinity), member(1100)];
  for (const each of members) deadlines.add(each);
  deadlines.remove(members[2]!);
  clock.advance(100_000);
  t.deepEqual(
    members.map(({ told }) => told),
    [0, 0, 0],
  );
});

test("deadlines hear of a member that arms itself again or leaves while it is told", (t) => {
  const clock = new ManualClock(0);
  const deadlines = new Deadlines(clock);
  const again = member(100);
  again.onDeadline = () => {
    again.told += 1;
    if (again.told < 3) again.deadlineMs = deadlines.nowMs + 1000;
    else deadlines.remove(again);
  };
  const neighbour = member(100);
  deadlines.add(again);
  deadlines.add(neighbour);
  clock.advance(10_000);
  t.is(again.told, 3);
  t.is(neighbour.told, 1);
});

test("deadlines arm one timer, however many members, and none once stopped", (t) => {
  const clock = new ManualClock(0);
  const deadlines = new Deadlines(clock);
  for (let count = 0; count < 1000; count += 1) deadlines.add(member(1_000_000));
  t.is(clock.timerCount, 1);
  clock.advance(10_000);
  t.is(clock.timerCount, 1);
  t.is(deadlines.nowMs, 10_000, "the coarse time of the last sweep");
  deadlines.stop();
  t.is(clock.timerCount, 0);
});
