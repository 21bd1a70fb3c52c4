import test from "ava";
import { UsageError, readOptions } from "./options.ts";

test("readOptions without parameters takes every suite in full", (t) => {
  t.deepEqual(readOptions([]), {
    suites: ["proxy", "ca", "startup", "volume"],
    jsonFile: null,
    rounds: 5,
    works: [],
    subjects: [],
    measureS: 4,
    firstWarmUpS: 5,
    calls: 3000,
    ledgerEntries: 1_000_000,
    profileFolder: null,
    help: false,
  });
});

test("readOptions reads suite, file, rounds, works and subjects", (t) => {
  const line = "proxy --json out.json --rounds 3 --work a --work b --subject signet".split(" ");
  const { suites, jsonFile, rounds, works, subjects } = readOptions(line);
  t.deepEqual(
    { suites, jsonFile, rounds, works, subjects },
    {
      suites: ["proxy"],
      jsonFile: "out.json",
      rounds: 3,
      works: ["a", "b"],
      subjects: ["signet"],
    },
  );
});

test("readOptions --quick is short, and gives way to --rounds", (t) => {
  t.is(readOptions(["--quick"]).rounds, 2);
  t.is(readOptions(["--quick", "--rounds", "1"]).rounds, 1);
  t.true(readOptions(["--quick"]).measureS < readOptions([]).measureS);
});

const refuses = test.macro({
  exec(t, line: string, state: RegExp) {
    const error = t.throws(() => readOptions(line.split(" ")), { instanceOf: UsageError });
    t.is(error.code, "usage_invalid");
    t.regex(error.message, /^Cannot read the command line: /);
    t.regex(error.message, state);
  },
  title: (_, line: string) => `readOptions refuses "${line}"`,
});

test(refuses, "gateway", /unknown suite "gateway"/);
test(refuses, "proxy ca", /unknown suite "proxy ca"/);
test(refuses, "--rounds 0", /"--rounds 0" is not a number from 1 to 100/);
test(refuses, "--rounds 101", /"--rounds 101"/);
test(refuses, "--rounds 2.5", /"--rounds 2.5"/);
test(refuses, "--rounds five", /"--rounds five"/);
test(refuses, "--fast", /--fast/);
test(refuses, "--json", /--json/);
