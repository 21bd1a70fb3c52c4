import test from "ava";
import { Watch } from "./watch.ts";

test("Watch tells each listener of later values, with the one before", (t) => {
  const watch = new Watch(1);
  const heard: [number, number][] = [];
  const stop = watch.onChange((value, previous) => heard.push([value, previous]));
  watch.set(2);
  watch.set(3);
  stop();
  watch.set(4);
  t.deepEqual(heard, [
    [2, 1],
    [3, 2],
  ]);
  t.is(watch.get(), 4);
});

test("Watch listeners may come and go while they are told", (t) => {
  const watch = new Watch("a");
  const heard: string[] = [];
  const stop = watch.onChange((value) => {
    stop();
    heard.push(`first ${value}`);
    watch.onChange((later) => heard.push(`late ${later}`));
  });
  watch.onChange((value) => heard.push(`second ${value}`));
  watch.set("b");
  t.deepEqual(heard, ["first b", "second b"]);
  watch.set("c");
  t.deepEqual(heard.slice(2), ["second c", "late c"]);
});

test("Watch.until resolves with the present value or with the first that passes", async (t) => {
  const watch = new Watch(1);
  t.is(await watch.until((value) => value === 1), 1);
  const later = watch.until((value) => value > 2);
  watch.set(2);
  watch.set(3);
  watch.set(4);
  t.is(await later, 3);
});

test("Watch.until rejects when its signal aborts, and listens no longer", async (t) => {
  const watch = new Watch(1);
  const controller = new AbortController();
  let asked = 0;
  const waiting = watch.until(() => {
    asked += 1;
    return false;
  }, controller.signal);
  controller.abort(new Error("stopped"));
  await t.throwsAsync(waiting, { message: "stopped" });
  watch.set(2);
  t.is(asked, 1);
  await t.throwsAsync(
    watch.until(() => false, controller.signal),
    { message: "stopped" },
  );
});
