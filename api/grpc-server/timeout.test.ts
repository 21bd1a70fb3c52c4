import test from "ava";
import { readTimeout } from "./timeout.ts";

const rows: readonly [text: string, timeoutMs: number | null][] = [
  ["1S", 1_000],
  ["250m", 250],
  ["99999999H", 99_999_999 * 3_600_000],
  ["2M", 120_000],
  ["5000u", 5],
  ["1000000n", 1],
  ["0m", 0],
  ["", null],
  ["1", null],
  ["S", null],
  ["-1S", null],
  ["1.5S", null],
  ["123456789S", null],
  ["1s", null],
  ["1S ", null],
  ["1 S", null],
  ["1h", null],
];
for (const [text, timeoutMs] of rows) {
  test(`readTimeout takes "${text}" for ${timeoutMs} ms`, (t) => {
    t.is(readTimeout(text), timeoutMs);
  });
}
