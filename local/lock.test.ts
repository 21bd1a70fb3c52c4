import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";
import { netnsTest } from "#/test/kit/netns-test.ts";
import { ownerOf, startTicksOf, takeLock } from "./lock.ts";
import { lockFile, stateLockFile } from "./names.ts";
import type { Names } from "./names.ts";

let count = 0;

function namesFor(t: ExecutionContext): Names {
  const stateDirectory = mkdtempSync(path.join(tmpdir(), "lock-"));
  count += 1;
  const names = { prefix: `sglock-${process.pid}-${count}`, stateDirectory };
  t.teardown(() => {
    rmSync(stateDirectory, { recursive: true, force: true });
    rmSync(lockFile(names), { force: true });
  });
  return names;
}

test("startTicksOf tells live processes from none", (t) => {
  t.regex(startTicksOf(process.pid) ?? "", /^\d+$/);
  t.is(startTicksOf(2 ** 22 + 1), null);
});

test("startTicksOf counts a process that only waits to be counted as none", async (t) => {
  // The shell's child ends at once; the shell has become a program that never asks for it.
  const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 20"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const child = await new Promise<number>((done) => {
    parent.stdout.once("data", (text: Buffer) => done(Number(text.toString())));
  });
  for (let look = 0; look < 100 && startTicksOf(child) !== null; look += 1) {
    await new Promise((next) => setTimeout(next, 20));
  }
  t.is(startTicksOf(child), null);
  parent.kill("SIGKILL");
});

// The lock lies in /run, where only root may write: these run where namespaces can be made, too.
netnsTest("takeLock says who has it, where, and what to do", async (t) => {
  const names = namesFor(t);
  const lock = takeLock(names);
  t.like(ownerOf(names), { pid: process.pid, stateDirectory: names.stateDirectory });
  t.throws(() => takeLock(names), {
    code: "already_running",
    message: `Cannot start: a mesh runs already (process ${process.pid}, state in "${names.stateDirectory}")`,
  });
  lock.release();
  t.is(ownerOf(names), null);
  t.notThrows(() => takeLock(names).release());
});

netnsTest(
  "takeLock refuses another state directory of the same network, and leaves it alone",
  async (t) => {
    const names = namesFor(t);
    const lock = takeLock(names);
    const other = { ...namesFor(t), prefix: names.prefix };
    t.throws(() => takeLock(other), { code: "already_running" });
    t.deepEqual(readdirSync(other.stateDirectory), []);
    lock.release();
  },
);

netnsTest(
  "takeLock refuses another network with the same state directory, and frees its own",
  async (t) => {
    const names = namesFor(t);
    const lock = takeLock(names);
    const other = { ...namesFor(t), stateDirectory: names.stateDirectory };
    t.throws(() => takeLock(other), { code: "already_running" });
    t.is(ownerOf(other), null);
    lock.release();
  },
);

netnsTest(
  "takeLock takes over from the dead, and from a pid that is somebody else's by now",
  async (t) => {
    const names = namesFor(t);
    const { stateDirectory } = names;
    for (const text of [
      JSON.stringify({ pid: 2 ** 22 + 1, startTicks: "1", stateDirectory }),
      JSON.stringify({ pid: process.pid, startTicks: "1", stateDirectory }),
      JSON.stringify({ pid: process.pid, startTicks: "", stateDirectory }),
      "{ half of a",
      "",
    ]) {
      writeFileSync(lockFile(names), text);
      writeFileSync(stateLockFile(names), text);
      t.is(ownerOf(names), null, text);
      takeLock(names).release();
    }
    t.deepEqual(readdirSync(stateDirectory), []);
  },
);

netnsTest("takeLock is passed on, taken back, and not taken from the next one", async (t) => {
  const names = namesFor(t);
  const lock = takeLock(names);
  const child = spawn("sleep", ["20"]);
  lock.passTo(child.pid ?? 0);
  t.is(ownerOf(names)?.pid, child.pid);
  const ended = new Promise((done) => child.once("exit", done));
  child.kill("SIGKILL");
  await ended;
  t.is(ownerOf(names), null);
  const next = takeLock(names);
  t.false(lock.takeBack(), "the next one has it");
  lock.release();
  t.is(ownerOf(names)?.pid, process.pid, "what is not ours is not released");
  next.passTo(process.pid);
  t.true(next.takeBack());
  next.release();
});

netnsTest("takeLock lets one of many win that start at once", async (t) => {
  const names = namesFor(t);
  const dead = JSON.stringify({ pid: 2 ** 22 + 1, startTicks: "1", stateDirectory: "x" });
  writeFileSync(lockFile(names), dead);
  const script = `
    import { takeLock } from ${JSON.stringify(path.resolve("local/lock.ts"))};
    try { takeLock(${JSON.stringify(names)}); console.log("won"); } catch (error) { console.log(error.code); }
    process.stdin.resume().on("end", () => process.exit(0));`;
  const children = Array.from({ length: 3 }, () =>
    spawn(process.execPath, ["--input-type=module", "--eval", script]),
  );
  const told = await Promise.all(
    children.map(
      (child) =>
        new Promise<string>((done) => {
          child.stdout.once("data", (text: Buffer) => done(text.toString().trim()));
        }),
    ),
  );
  t.deepEqual(told.toSorted(), ["already_running", "already_running", "won"]);
  t.true(readFileSync(lockFile(names), "utf8").includes(names.stateDirectory));
  for (const child of children) child.stdin.end();
});
