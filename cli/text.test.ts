import test from "ava";
import * as text from "./text.ts";

for (const [ms, expected] of [
  [-5, "0 ms"],
  [0, "0 ms"],
  [999, "999 ms"],
  [1000, "1s"],
  [59_999, "59s"],
  [60_000, "1m 00s"],
  [724_000, "12m 04s"],
  [3_600_000, "1h 00m"],
  [86_399_000, "23h 59m"],
  [86_400_000, "1d 00h"],
  [9_000_000_000, "104d 04h"],
] as const) {
  test(`formatDuration of ${ms} ms is ${expected}`, (t) => t.is(text.formatDuration(ms), expected));
}

for (const [part, whole, expected] of [
  [0, 0, "-"],
  [0, 10, "0.0 %"],
  [713, 1000, "71.3 %"],
  [9999, 10_000, "99.9 %"],
  [10_000, 10_000, "100.0 %"],
] as const) {
  test(`formatShare of ${part} in ${whole} is ${expected}`, (t) => {
    t.is(text.formatShare(part, whole), expected);
  });
}

test("formatLatency grows with what it measures", (t) => {
  t.deepEqual([null, 0.0008, 0.012, 1.2].map(text.formatLatency), [
    "-",
    "0.8 ms",
    "12 ms",
    "1.20 s",
  ]);
});

test("formatTime is UTC and says so; what is no time is said to be none", (t) => {
  t.is(text.formatTime(Date.UTC(2026, 10, 21, 8, 16, 5)), "2026-11-21 08:16:05Z");
  t.is(text.formatTime(Number.NaN), "unknown");
  t.is(text.formatTime(1e20), "unknown");
});

test("truncate and truncateMiddle cut to the width and mark it", (t) => {
  t.is(text.truncate("abcdef", 6), "abcdef");
  t.is(text.truncate("abcdef", 4), "abc…");
  t.is(text.truncate("abcdef", 1), "a");
  t.is(text.truncateMiddle("abcdefgh", 5), "ab…gh");
  t.is(text.truncateMiddle("abcdefgh", 8), "abcdefgh");
  t.is(text.truncateMiddle("abcdefgh", 2), "a…");
});

test("displayWidth counts what is seen", (t) => {
  t.is(text.displayWidth("\u001b[31mred\u001b[39m"), 3);
  t.is(text.displayWidth("█→é"), 3);
});

test("printable leaves nothing that steers a terminal", (t) => {
  t.is(text.printable("a\u001b[2Jb\u0007c\u001b]0;title\u0007\r\nd\u009b1me"), "abc]0;titled1me");
});

test("shortIdentity names namespace and account, and leaves the rest alone", (t) => {
  t.is(text.shortIdentity("spiffe://cluster.local/ns/app-a/sa/one"), "app-a/one");
  t.is(text.shortIdentity("plaintext"), "plaintext");
  t.is(text.shortIdentity("spiffe://cluster.local/other"), "spiffe://cluster.local/other");
});

test("colonHex pairs digits", (t) => {
  t.is(text.colonHex("0a1b2c"), "0a:1b:2c");
  t.is(text.colonHex(""), "");
});
