import test from "ava";
import { fails, parseFailRate } from "./fail-rate.ts";

for (const [text, rate] of [
  ["0", 0],
  ["30", 30],
  ["100", 100],
  ["0.5", 0.5],
  [" 30\n", 30],
] as const) {
  test(`parseFailRate reads ${JSON.stringify(text)}`, (t) => t.is(parseFailRate(text), rate));
}

for (const text of [
  "",
  "-1",
  "101",
  "100.1",
  "1e1",
  "30%",
  "0x10",
  "NaN",
  "Infinity",
  "1 2",
  ".",
]) {
  test(`parseFailRate refuses ${JSON.stringify(text)}`, (t) => t.is(parseFailRate(text), null));
}

test("fails never at 0, always at 100, and at its share between", (t) => {
  const draws = Array.from({ length: 1000 }, (_, index) => index / 1000);
  const failed = (rate: number): number => draws.filter((random) => fails(rate, random)).length;
  t.is(failed(0), 0);
  t.is(failed(30), 300);
  t.is(failed(100), 1000);
});
