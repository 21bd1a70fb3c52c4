import test from "ava";
import { saturate } from "./saturate.ts";

test("saturate makes each call once, never more at a time than allowed", async (t) => {
  const seen: number[] = [];
  let open = 0;
  let openMax = 0;
  const result = await saturate(100, 8, async (index) => {
    seen.push(index);
    open += 1;
    openMax = Math.max(openMax, open);
    await new Promise((resolve) => setImmediate(resolve));
    open -= 1;
  });
  t.deepEqual(
    seen,
    Array.from({ length: 100 }, (_, index) => index),
  );
  t.is(openMax, 8);
  t.true(result.cpuUs > 0);
  t.true(result.perSecond > 0);
});

test("saturate passes a failure on: a refused issue is no fast issue", async (t) => {
  const work = async (index: number): Promise<void> => {
    if (index === 50) throw new Error("refused");
  };
  await t.throwsAsync(saturate(100, 8, work), { message: "refused" });
});
