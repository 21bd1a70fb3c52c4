// Attack case 20 on a process that runs with an image's own flags: whoever is of its user tries to get the key
// that it holds, from a core file, from /proc, by the inspector. Each attempt also on a process that does not
// defend itself, where it must succeed.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import test from "ava";
import { commandOfImage } from "./images.ts";

const guard = pathToFileURL(path.resolve("lib/private-memory.ts")).href;
const uid = 1337;
const asUser = ["--reuid", String(uid), "--regid", String(uid), "--clear-groups", "--"];
/** The kernel writes it beside the process: then a core can be looked for. */
const coresAreFiles = /^core\b[^/|]*$/.test(readFileSync("/proc/sys/kernel/core_pattern", "utf8"));

interface Victim extends Disposable {
  readonly pid: number;
  readonly folder: string;
  /** What it has written to stderr. */
  readonly said: () => string;
  /** Sends a signal that ends it. */
  readonly end: (signal: NodeJS.Signals) => Promise<void>;
}

/** A process with these flags that holds a secret, and may dump cores as large as it wants. */
async function victim(flags: readonly string[], isGuarded: boolean): Promise<Victim> {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-victim-"));
  chownSync(folder, uid, uid);
  const source = `
    ${isGuarded ? `(await import(${JSON.stringify(guard)})).makeMemoryPrivate("drop_foreign");` : ""}
    globalThis.secret = Buffer.from(["the", "private", "key"].join("-") + "!");
    console.log("ready", process.permission?.has("ffi") ?? "");
    setInterval(() => {}, 1000);`;
  const node = [process.execPath, ...flags, "--input-type=module", "--eval", source];
  const child = spawn("prlimit", ["--core=unlimited:unlimited", "setpriv", ...asUser, ...node], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
  const ended = once(child, "close");
  const [line] = (await Promise.race([once(child.stdout, "data"), ended])) as [Buffer | number];
  if (!String(line).startsWith("ready")) throw new Error(`It did not start: ${said}`);
  return {
    pid: child.pid!,
    folder,
    said: () => said,
    async end(signal) {
      child.kill(signal);
      await ended;
    },
    [Symbol.dispose]() {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What another process of the same user reads there; null when it may not. */
function readAs(file: string): string | null {
  try {
    return execFileSync("setpriv", [...asUser, "cat", file], {
      stdio: ["ignore", "pipe", "ignore"],
    }).toString("latin1");
  } catch {
    return null;
  }
}

function coreOf({ folder }: Victim): Buffer | null {
  const name = readdirSync(folder).find((each) => each.startsWith("core"));
  return name === undefined ? null : readFileSync(path.join(folder, name));
}

for (const image of ["signet/controller", "signet/proxy"]) {
  const flags = commandOfImage(image).slice(0, -1);

  for (const signal of ["SIGSEGV", "SIGABRT", "SIGQUIT"] as const) {
    test(`attack-20 ${image} leaves no core file after ${signal}`, async (t) => {
      using guarded = await victim(flags, true);
      await guarded.end(signal);
      t.deepEqual(readdirSync(guarded.folder), []);
    });
  }

  test(`attack-20 ${image} shows its memory to no other process of its user`, async (t) => {
    using guarded = await victim(flags, true);
    for (const file of ["mem", "maps", "environ", "auxv"]) {
      t.is(readAs(`/proc/${guarded.pid}/${file}`), null, file);
    }
    const limits = readFileSync(`/proc/${guarded.pid}/limits`, "utf8");
    t.regex(limits, /^Max core file size +0 +0 /m);
  });

  test(`attack-20 ${image} opens no inspector by signal`, async (t) => {
    using guarded = await victim(flags, true);
    process.kill(guarded.pid, "SIGUSR1");
    await delay(1000);
    t.is(guarded.said(), "");
  });

  test(`${image} refuses to start where its memory cannot be made private`, (t) => {
    const without = flags.filter((flag) => flag !== "--allow-ffi");
    const source = `
      const { makeMemoryPrivate } = await import(${JSON.stringify(guard)});
      try { makeMemoryPrivate("drop_foreign"); } catch (error) { console.log(error.code); }`;
    const run = [...without, "--input-type=module", "--eval", source];
    t.is(execFileSync(process.execPath, run, { encoding: "utf8" }).trim(), "memory_not_private");
  });
}

test("attack-20 signet/controller calls no foreign function after its start", (t) => {
  const flags = commandOfImage("signet/controller").slice(0, -1);
  const source = `
    const { makeMemoryPrivate } = await import(${JSON.stringify(guard)});
    makeMemoryPrivate("drop_foreign");
    const { dlopen } = await import("node:ffi");
    try { dlopen("libc.so.6", {}); } catch (error) { console.log(error.code); }`;
  const run = [...flags, "--input-type=module", "--eval", source];
  t.is(execFileSync(process.execPath, run, { encoding: "utf8" }).trim(), "ERR_ACCESS_DENIED");
});

test("a process that does not defend itself leaves its key in a core", async (t) => {
  if (!coresAreFiles) {
    t.pass("this machine hands cores to a program, which is not looked into");
    return;
  }
  using bare = await victim([], false);
  await bare.end("SIGSEGV");
  t.true(coreOf(bare)?.includes("the-private-key!"));
});

test("a process that does not defend itself is read by others of its user, and opens an inspector", async (t) => {
  using bare = await victim(["--inspect-port=0"], false);
  t.truthy(readAs(`/proc/${bare.pid}/maps`));
  process.kill(bare.pid, "SIGUSR1");
  const deadline = performance.now() + 10_000;
  while (!bare.said().includes("Debugger listening") && performance.now() < deadline) {
    await delay(50);
  }
  t.regex(bare.said(), /Debugger listening/);
});
