import test from "ava";
import { UsageError } from "../options.ts";
import { profileHelpText, readProfileOptions } from "./options.ts";

test("readProfileOptions has a work, a time and a place when nothing is asked", (t) => {
  t.deepEqual(readProfileOptions([]), {
    work: "h1-mtls-pair",
    seconds: 10,
    folder: ".state/profile",
    help: false,
  });
  t.true(readProfileOptions(["--help"]).help);
});

test("readProfileOptions refuses what it cannot do and points to its help", (t) => {
  for (const words of [
    ["--work", "h9"],
    ["--seconds", "0"],
    ["--seconds", "601"],
    ["x"],
    ["--x"],
  ]) {
    const error = t.throws(() => readProfileOptions(words), { instanceOf: UsageError });
    t.regex(error.next, /profile --help/, words.join(" "));
  }
});

test("profileHelpText names every option", (t) => {
  for (const option of ["--work", "--seconds", "--out", "--help"]) {
    t.true(profileHelpText.includes(option), option);
  }
});
