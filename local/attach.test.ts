import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import test from "ava";
import type { ExecutionContext } from "ava";
import { attach, withTerminal } from "./attach.ts";
import { startTicksOf } from "./lock.ts";

const never = new AbortController().signal;

/** Runs with files for streams. */
async function attached(
  t: ExecutionContext,
  command: readonly string[],
  { input = "", signal = never } = {},
): Promise<{ code: number; text: string }> {
  const folder = mkdtempSync(path.join(tmpdir(), "attach-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(path.join(folder, "in"), input);
  const files = [
    openSync(path.join(folder, "in"), "r"),
    openSync(path.join(folder, "out"), "w"),
    openSync(path.join(folder, "err"), "w"),
  ];
  const code = await attach(command, { onTerminal: false, signal, stdio: files });
  for (const file of files) closeSync(file);
  const read = (name: string): string => readFileSync(path.join(folder, name), "utf8");
  return { code, text: read("out") + read("err") };
}

test("attach passes standard input on, and both outputs back", async (t) => {
  const { code, text } = await attached(t, ["sh"], { input: "echo hi\necho no >&2\nexit 7\n" });
  t.is(text, "hi\nno\n");
  t.is(code, 7);
});

test("attach says nothing of its own about an exit code", async (t) => {
  t.deepEqual(await attached(t, ["sh", "-c", "exit 3"]), { code: 3, text: "" });
  t.deepEqual(await attached(t, ["sh", "-c", "kill -TERM $$"]), { code: 143, text: "" });
});

test("attach ends a command with all that it started when it is to stop", async (t) => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("Stopped by SIGINT")), 200);
  const command = ["sh", "-c", "sleep 31.4159 & echo $!; wait"];
  const { code, text } = await attached(t, command, { signal: stop.signal });
  t.is(code, 143);
  // Its shell may be told of first.
  const deadline = Date.now() + 5_000;
  while (startTicksOf(Number(text)) !== null && Date.now() < deadline) await setImmediate();
  t.is(startTicksOf(Number(text)), null);
});

test("attach starts nothing when it is to stop already", async (t) => {
  await t.throwsAsync(attached(t, ["sh"], { signal: AbortSignal.abort(new Error("gone")) }), {
    message: "gone",
  });
});

test("attach says which program is not there", async (t) => {
  await t.throwsAsync(attached(t, ["nosuchprogram"]), {
    message: /^Cannot run the command: .*nosuchprogram/,
  });
});

test("withTerminal gives a terminal, keeps every word and the exit code", (t) => {
  const command = ["sh", "-c", 'test -t 0 && printf "%s|" "$@"; exit 5', "sh", "a b", "it's", "$x"];
  const [program = "", ...args] = withTerminal(command);
  const { status, stdout } = spawnSync(program, args, { encoding: "utf8", input: "" });
  t.is(stdout, "a b|it's|$x|");
  t.is(status, 5);
});
