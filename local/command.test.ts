import test from "ava";
import { attempt } from "./command.ts";

test("attempt leaves what a program says of itself to the program", async (t) => {
  t.deepEqual(await attempt("sh", ["-c", "exit 3"]), { code: 3, stdout: "", stderr: "" });
  const { code, stderr } = await attempt("sh", ["-c", "echo no >&2; exit 4"]);
  t.deepEqual([code, stderr], [4, "no\n"]);
});

test("attempt says why a program ended that could not say it", async (t) => {
  const late = await attempt("sleep", ["5"], { timeoutMs: 100 });
  t.deepEqual([late.code, late.stderr], [137, "not done within 0.1 s"]);
  const killed = await attempt("sh", ["-c", "kill -TERM $$"]);
  t.deepEqual([killed.code, killed.stderr], [143, "ended by SIGTERM"]);
  const missing = await attempt("nosuchprogram", []);
  t.is(missing.code, 127);
  t.regex(missing.stderr, /nosuchprogram ENOENT/);
});
