import test from "ava";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { Turnstile } from "./turnstile.ts";

const refusal = (state: string): Error => new Error(state);

function lane() {
  const ends: (() => void)[] = [];
  let running = 0;
  const work = async (): Promise<void> => {
    running += 1;
    await new Promise<void>((resolve) => ends.push(resolve));
    running -= 1;
  };
  return { ends, work, running: () => running };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("Turnstile lets so many through, the rest in order", async (t) => {
  const limits = { runningMax: 2, waitingMax: 2, waitMsMax: 1_000 };
  const turnstile = new Turnstile(limits, new ManualClock(0));
  const { ends, work, running } = lane();
  const all = [1, 2, 3, 4].map(() => turnstile.run(work, refusal));
  await settled();
  t.is(running(), 2);
  await t.throwsAsync(turnstile.run(work, refusal), { message: "2 others are waiting" });
  for (let index = 0; index < 4; index += 1) {
    ends[index]?.();
    await settled();
    t.is(running(), Math.min(2, 3 - index));
  }
  await Promise.all(all);
});

test("Turnstile refuses who waited too long, and leaves no timer", async (t) => {
  const clock = new ManualClock(0);
  const turnstile = new Turnstile({ runningMax: 1, waitingMax: 5, waitMsMax: 1_000 }, clock);
  const { ends, work, running } = lane();
  const first = turnstile.run(work, refusal);
  const late = turnstile.run(work, refusal);
  clock.advance(1_000);
  await t.throwsAsync(late, { message: "no turn in 1000 ms" });
  ends[0]?.();
  await first;
  const next = turnstile.run(work, refusal);
  await settled();
  t.is(running(), 1);
  ends[1]?.();
  await next;
  t.is(clock.timerCount, 0);
});

test("Turnstile gives the place back after work that failed", async (t) => {
  const limits = { runningMax: 1, waitingMax: 0, waitMsMax: 1_000 };
  const turnstile = new Turnstile(limits, new ManualClock(0));
  await t.throwsAsync(turnstile.run(() => Promise.reject(new Error("no")), refusal));
  t.is(await turnstile.run(() => Promise.resolve(1), refusal), 1);
});
