import { setImmediate as turn } from "node:timers/promises";
import test from "ava";
import type { Ending, LaunchOptions, LocalMesh } from "#/local/launch.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { createPrinter } from "../print.ts";
import type { OutputFormat } from "../print.ts";
import type { CommandContext } from "./context.ts";
import { localUpBy } from "./up.ts";

interface Stage {
  readonly context: CommandContext;
  readonly out: string[];
  readonly err: string[];
  readonly stop: AbortController;
}

function stageFor({ format = "table", isTTY = false, options = {} } = {}): Stage {
  const [out, err]: [string[], string[]] = [[], []];
  const stop = new AbortController();
  const print = createPrinter(
    format as OutputFormat,
    { NO_COLOR: "1" },
    { isTTY, columns: 60, write: (text) => out.push(text) },
    { write: (text) => err.push(text) },
  );
  const context: CommandContext = {
    print,
    clock: new ManualClock(0),
    signal: stop.signal,
    names: { prefix: "none", stateDirectory: "/nonexistent" },
    repository: "/nonexistent",
    words: {},
    options,
  };
  return { context, out, err, stop };
}

/** A mesh that runs until it is stopped, or has ended already. */
function meshThat(ended: Promise<Ending>): { mesh: LocalMesh; stops: () => number } {
  let stops = 0;
  const mesh = {
    pid: 42,
    ended,
    stop: async () => void (stops += 1),
  };
  return { mesh: mesh as unknown as LocalMesh, stops: () => stops };
}

const never = (): Promise<Ending> => new Promise(() => undefined);

test("localUp takes down what it brought up when it is to stop", async (t) => {
  const { context, err, stop } = stageFor();
  const { mesh, stops } = meshThat(never());
  const code = localUpBy(async () => mesh)(context);
  await turn();
  stop.abort(new Error("Stopped: write EPIPE"));
  t.is(await code, 0);
  t.is(stops(), 1);
  t.deepEqual(err, [
    "signet: stopping the mesh and cleaning up\n",
    "signet: stopped, everything removed\n",
  ]);
});

test("localUp says that somebody stopped the mesh, and takes it for no fault", async (t) => {
  const { context, err } = stageFor();
  const { mesh, stops } = meshThat(Promise.resolve("asked"));
  t.is(await localUpBy(async () => mesh)(context), 0);
  t.is(stops(), 0);
  t.deepEqual(err, [
    'signet: the mesh was stopped by "signet local down"; everything is removed\n',
  ]);
});

test("localUp fails when the mesh ends by itself, and clears up", async (t) => {
  const { context } = stageFor();
  const { mesh, stops } = meshThat(Promise.resolve("failed"));
  await t.throwsAsync(localUpBy(async () => mesh)(context), {
    message: "Cannot go on: the mesh has ended by itself",
  });
  t.is(stops(), 1);
});

/** Has come as far as its workloads; ends when it is to stop, then tells of one more step. */
async function launchSlowly({ signal, onProgress }: LaunchOptions): Promise<LocalMesh> {
  onProgress({ step: "world", detail: "", state: "begun", atMs: 0 });
  onProgress({ step: "world", detail: "", state: "done", atMs: 0 });
  onProgress({ step: "workloads", detail: "", state: "begun", atMs: 0 });
  await new Promise((abort) => signal?.addEventListener("abort", abort, { once: true }));
  onProgress({ step: "workloads", detail: "", state: "done", atMs: 0 });
  throw signal?.reason;
}

for (const isTTY of [false, true]) {
  test(`localUp draws nothing over what it says of stopping: isTTY ${isTTY}`, async (t) => {
    const { context, out, err, stop } = stageFor({ isTTY });
    const code = localUpBy(launchSlowly)(context);
    const drawn = out.length;
    stop.abort(new Error("Stopped by SIGINT"));
    await t.throwsAsync(code, { message: "Stopped by SIGINT" });
    t.deepEqual(err.slice(-2), [
      "signet: stopping and cleaning up\n",
      "signet: stopped, everything removed\n",
    ]);
    const after = out.slice(drawn).join("");
    t.notRegex(after, /ok workloads/);
    // One last picture, in which the step is neither done nor under way.
    t.is(after.includes(". workloads"), isTTY);
    t.is([...after.matchAll(/ok world/g)].length, isTTY ? 1 : 0);
  });
}

test("localUp leaves a detached mesh running, and tells programs as JSON alone", async (t) => {
  for (const isTTY of [false, true]) {
    const { context, out } = stageFor({ format: "json", isTTY, options: { detach: true } });
    const { mesh, stops } = meshThat(never());
    t.is(await localUpBy(async () => mesh)(context), 0);
    t.is(stops(), 0);
    t.like(JSON.parse(out.join("")), { pid: 42, stateDirectory: "/nonexistent" });
  }
});
