// A process of its own for each case: signals and exit codes are what is tested.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import test from "ava";

interface Ended {
  readonly code: number | null;
  readonly lines: readonly Record<string, unknown>[];
}

const lifecycle = fileURLToPath(new URL("lifecycle.ts", import.meta.url));

/** Runs `main` (source text); sends each signal after the line "ready" or the answer to the last one. */
function run(main: string, signals: readonly NodeJS.Signals[] = []): Promise<Ended> {
  const source = `
    import { aborted, runMain } from ${JSON.stringify(lifecycle)};
    import { createLog } from ${JSON.stringify(lifecycle.replace("lifecycle", "log"))};
    import { MeshError } from ${JSON.stringify(lifecycle.replace("lifecycle", "errors"))};
    const log = createLog("test", "info");
    const keepAlive = setInterval(() => {}, 1000);
    await runMain(log, async (signal) => { ${main} });`;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", source], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const left = [...signals];
    let said = "";
    child.stderr.on("data", (bytes: Buffer) => {
      said += bytes.toString();
      if (/"msg":"(?:ready|stopping)"/.test(bytes.toString())) child.kill(left.shift() ?? 0);
    });
    child.once("error", reject);
    child.once("close", (code) => {
      const lines = said.split("\n").filter((line) => line.startsWith("{"));
      resolve({ code, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) });
    });
  });
}

test("runMain ends with 0 when main does", async (t) => {
  const { code } = await run("");
  t.is(code, 0);
});

for (const name of ["SIGTERM", "SIGINT"] as const) {
  test(`runMain lets main finish after ${name}`, async (t) => {
    const main = `log.info("ready"); await aborted(signal); log.info("drained");`;
    const { code, lines } = await run(main, [name]);
    t.is(code, 0);
    t.deepEqual(
      lines.map(({ msg }) => msg),
      ["ready", "stopping", "drained"],
    );
    t.is(lines[1]?.["signal"], name);
  });
}

test("runMain ends at once after a second signal", async (t) => {
  const main = `log.info("ready"); await new Promise(() => {});`;
  const { code } = await run(main, ["SIGTERM", "SIGTERM"]);
  t.is(code, 1);
});

test("runMain says what to do next when the world is wrong, without a stack", async (t) => {
  const main = `throw new MeshError("world_wrong", "Cannot go on", { next: "Mend the world" });`;
  const { code, lines } = await run(main);
  t.is(code, 1);
  t.like(lines.at(-1), {
    msg: "failed",
    code: "world_wrong",
    reason: "Cannot go on",
    next: "Mend the world",
  });
  t.false("stack" in lines.at(-1)!);
});

for (const [what, main, message] of [
  ["main throws", `throw new TypeError("x is not a function");`, "crashed"],
  [
    "nobody catches",
    `setImmediate(() => { throw new Error("late"); }); await aborted(signal);`,
    "uncaught exception",
  ],
  [
    "nobody awaits",
    `void Promise.reject(new Error("lost")); await aborted(signal);`,
    "unhandled rejection",
  ],
] as const) {
  test(`runMain ends with 70 and a stack when ${what}`, async (t) => {
    const { code, lines } = await run(main);
    t.is(code, 70);
    t.is(lines.at(-1)?.["msg"], message);
    t.regex(String(lines.at(-1)?.["stack"]), /Error: /);
  });
}
