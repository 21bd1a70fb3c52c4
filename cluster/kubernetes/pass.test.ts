import test from "ava";
import { silentLog } from "#/lib/log.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { Pass } from "./pass.ts";

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function lab(run: () => Promise<void> = () => Promise.resolve()) {
  const clock = new ManualClock(0);
  let runs = 0;
  const counted = (): Promise<void> => {
    runs += 1;
    return run();
  };
  const random = (): number => 0.5;
  const pass = new Pass({ clock, random, name: "it", log: silentLog, run: counted });
  const after = async (delayMs: number): Promise<number> => {
    clock.advance(delayMs);
    await settled();
    return runs;
  };
  return { clock, pass, after };
}

test("Pass runs once for changes that come together, and again after a while", async (t) => {
  const { pass, after } = lab();
  pass.request();
  pass.request();
  t.is(await after(49), 0);
  t.is(await after(1), 1);
  t.is(await after(29_999), 1);
  t.is(await after(1), 2);
});

test("Pass runs again for what changed while it ran, never twice at once", async (t) => {
  let finish = (): void => {};
  const { pass, after } = lab(() => new Promise((resolve) => (finish = resolve)));
  pass.request();
  t.is(await after(50), 1);
  pass.request();
  t.is(await after(10_000), 1);
  finish();
  await settled();
  t.is(await after(50), 2);
});

test("Pass waits longer after each failure, also when something changes", async (t) => {
  let isFailing = true;
  const { pass, after } = lab(() =>
    isFailing ? Promise.reject(new Error("no")) : Promise.resolve(),
  );
  pass.request();
  t.is(await after(50), 1);
  pass.request();
  t.is(await after(374), 1);
  t.is(await after(1), 2);
  t.is(await after(749), 2);
  isFailing = false;
  t.is(await after(1), 3);
  pass.request();
  t.is(await after(50), 4);
});

test("Pass leaves no timer behind", async (t) => {
  const { clock, pass } = lab();
  pass.request();
  await pass[Symbol.asyncDispose]();
  t.is(clock.timerCount, 0);
});
