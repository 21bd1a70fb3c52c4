// The kit keeps its promise: nothing of a lab remains, not even when its process was killed.
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createLab } from "../kit/netns.ts";
import { netnsTest } from "../kit/netns-test.ts";

const kit = fileURLToPath(new URL("../kit/netns.ts", import.meta.url));

function namespacesOf(pid: number): string[] {
  return readdirSync("/run/netns").filter((name) => name.startsWith(`signet-test-${pid}-`));
}

/** Gone, or a zombie that only waits to be counted. */
function hasEnded(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return true;
  }
}

netnsTest("createLab takes its namespaces and what runs in them away", async (t) => {
  const lab = await createLab();
  const namespace = await lab.addNamespace("gone");
  const child = namespace.start("sleep", ["600"]);
  const ended = new Promise((resolve) => child.once("exit", (_, signal) => resolve(signal)));
  t.true(namespacesOf(process.pid).includes(namespace.name));
  await lab[Symbol.asyncDispose]();
  t.is(await ended, "SIGKILL");
  t.false(namespacesOf(process.pid).includes(namespace.name));
});

netnsTest("createLab sweeps what a killed process left behind, and nothing else", async (t) => {
  const script = `
    import { createLab } from ${JSON.stringify(kit)};
    const lab = await createLab();
    const namespace = await lab.addNamespace("stale");
    const child = namespace.start("sleep", ["600"]);
    console.log(child.pid);
    setInterval(() => undefined, 1000);`;
  const victim = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const orphan = await new Promise<number>((resolve) =>
    victim.stdout.once("data", (chunk: Buffer) => resolve(Number(chunk.toString()))),
  );
  await using living = await createLab();
  const kept = await living.addNamespace("kept");
  t.is(namespacesOf(victim.pid!).length, 1, "a living process keeps its namespaces");
  const died = new Promise((resolve) => victim.once("exit", resolve));
  victim.kill("SIGKILL");
  await died;
  t.is(namespacesOf(victim.pid!).length, 1);
  await using _sweeping = await createLab();
  t.is(namespacesOf(victim.pid!).length, 0);
  t.true(namespacesOf(process.pid).includes(kept.name));
  t.true(hasEnded(orphan), "what ran inside is ended, too");
});

netnsTest(
  "a namespace runs commands as the user that it is told, without capabilities",
  async (t) => {
    await using lab = await createLab();
    const namespace = await lab.addNamespace("users");
    const user = { uid: 1337, gid: 1337 };
    t.is(await namespace.succeed("id", ["-u"], { user }), "1337\n");
    const status = await namespace.succeed("grep", ["Cap", "/proc/self/status"], { user });
    t.regex(status, /CapEff:\t0{16}\nCapBnd:\t0{16}/);
    t.not((await namespace.run("ip", ["link", "set", "lo", "down"], { user })).exitCode, 0);
    t.is(await namespace.succeed("id", ["-u"]), "0\n");
  },
);

netnsTest("a namespace tells how a command failed", async (t) => {
  await using lab = await createLab();
  const namespace = await lab.addNamespace("failing");
  const failing = ["-c", "echo out; echo err >&2; exit 3"];
  t.deepEqual(await namespace.run("sh", failing), {
    exitCode: 3,
    stdout: "out\n",
    stderr: "err\n",
  });
  await t.throwsAsync(() => namespace.succeed("sh", failing), { message: /err/ });
  const slow = await namespace.run("sleep", ["5"], { timeoutMs: 50 });
  t.not(slow.exitCode, 0);
});
