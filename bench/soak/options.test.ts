import test from "ava";
import { readSoakOptions, soakHelpText } from "./options.ts";

test("readSoakOptions takes half an hour when nothing is asked", (t) => {
  t.deepEqual(readSoakOptions([]), {
    minutes: 30,
    gib: 0,
    rate: 300,
    file: "bench/results/soak.json",
    help: false,
  });
  t.like(readSoakOptions(["--minutes", "0.5", "--gib=10"]), { minutes: 0.5, gib: 10 });
});

test("readSoakOptions refuses what it cannot do and points to its help", (t) => {
  for (const words of [
    ["--minutes", "x"],
    ["--minutes", "-1"],
    ["--gib", "9999"],
    ["more"],
    ["--x"],
  ]) {
    t.throws(() => readSoakOptions(words), { code: "usage_invalid" }, words.join(" "));
  }
});

test("soakHelpText names every option and the rule", (t) => {
  for (const word of ["--minutes", "--gib", "--json", "--help", "95 % confidence"]) {
    t.true(soakHelpText.includes(word), word);
  }
});
