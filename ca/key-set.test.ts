import test from "ava";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { KeySetSource, keySetLimits } from "./key-set.ts";

function source() {
  const clock = new ManualClock(0);
  const state = { text: "one" as string | Error, reads: 0 };
  const keys = new KeySetSource<{ readonly text: string }>({
    read() {
      state.reads += 1;
      return state.text instanceof Error ? Promise.reject(state.text) : Promise.resolve(state.text);
    },
    parse(text) {
      if (text === "broken") throw new Error("it is broken");
      return { text };
    },
    clock,
  });
  return { clock, state, keys };
}

test("current reads once and keeps the keys while they are fresh", async (t) => {
  const { clock, state, keys } = source();
  const first = await keys.current();
  clock.jump(keySetLimits.freshMs - 1);
  t.is(await keys.current(), first);
  t.is(state.reads, 1);
});

test("current reads again after a minute, so that a withdrawn key is refused", async (t) => {
  const { clock, state, keys } = source();
  await keys.current();
  state.text = "two";
  clock.jump(keySetLimits.freshMs);
  t.is((await keys.current()).text, "two");
});

test("current reads once for all who ask at the same time", async (t) => {
  const { state, keys } = source();
  await Promise.all([keys.current(), keys.current(), keys.current()]);
  t.is(state.reads, 1);
});

test("newerThan reads at once for a key that is missing, but once a second at most", async (t) => {
  const { clock, state, keys } = source();
  const first = await keys.current();
  t.is(await keys.newerThan(first), null);
  t.is(state.reads, 1);
  clock.jump(keySetLimits.rereadMs);
  state.text = "two";
  t.is((await keys.newerThan(first))?.text, "two");
  // Who still holds the old keys gets the newer ones without another reading.
  t.is((await keys.newerThan(first))?.text, "two");
  t.is(state.reads, 2);
});

test("attack-13 current refuses while no keys could ever be read", async (t) => {
  for (const text of [new Error("no such file"), "broken"]) {
    const { state, keys } = source();
    state.text = text;
    await t.throwsAsync(keys.current(), { code: "token_review_failed" });
    // The next one is not even read for: it waits for its second, and is refused all the same.
    await t.throwsAsync(keys.current(), { code: "token_review_failed" });
    t.is(state.reads, 1);
  }
});

test("attack-13 current keeps the last good keys for a while, and then refuses", async (t) => {
  const { clock, state, keys } = source();
  const first = await keys.current();
  state.text = new Error("gone");
  clock.jump(keySetLimits.staleMs - 1);
  t.is(await keys.current(), first);
  clock.jump(1);
  await t.throwsAsync(keys.current(), { code: "token_review_failed" });
  clock.jump(keySetLimits.rereadMs);
  await t.throwsAsync(keys.current(), { code: "token_review_failed" });
});

test("current recovers by itself", async (t) => {
  const { clock, state, keys } = source();
  state.text = new Error("not yet");
  await t.throwsAsync(keys.current(), { code: "token_review_failed" });
  state.text = "one";
  clock.jump(keySetLimits.rereadMs);
  t.is((await keys.current()).text, "one");
});
