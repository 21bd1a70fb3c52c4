import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { Output } from "./output.ts";
import type { ContainerSpec, Probe } from "./pod-spec.ts";
import { Supervisor, restartDelayMsMax } from "./supervisor.ts";
import type { Run } from "./supervisor.ts";

const probe: Probe = {
  kind: "tcp",
  path: "/",
  port: 1,
  command: [],
  delayMs: 0,
  periodMs: 1_000,
  timeoutMs: 1_000,
  failureThreshold: 3,
};

const spec: ContainerSpec = {
  name: "c",
  nodeArguments: [],
  environment: {},
  uid: 1,
  gid: 1,
  capabilities: [],
  mounts: [],
  startupProbe: null,
  readinessProbe: null,
  livenessProbe: null,
  readOnlyRoot: false,
  sidecar: false,
};

class FakeRun implements Run {
  readonly pid = 1;
  exit: Run["exit"] = null;
  readonly ended: Promise<void>;
  readonly entered: Promise<void> = Promise.resolve();
  readonly signals: string[] = [];
  readonly #onExit: () => void;
  #resolve: () => void = () => {};

  constructor(onExit: () => void) {
    this.#onExit = onExit;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  end(code: number): void {
    if (this.exit !== null) return;
    this.exit = { code, signal: null };
    this.#onExit();
    this.#resolve();
  }

  signal(name: NodeJS.Signals): void {
    this.signals.push(name);
    this.end(1);
  }

  async stop(): Promise<void> {
    this.signal("SIGTERM");
  }
}

interface Setting {
  readonly clock: ManualClock;
  readonly runs: FakeRun[];
  readonly supervisor: Supervisor;
  readonly stop: AbortController;
  passes: boolean;
  changes: number;
}

function setUp(t: ExecutionContext, more: Partial<ContainerSpec> = {}): Setting {
  const made = mkdtempSync(path.join(tmpdir(), "supervisor-"));
  const output = new Output(path.join(made, "log"));
  t.teardown(() => {
    output.close();
    rmSync(made, { recursive: true, force: true });
  });
  const clock = new ManualClock(0);
  const stop = new AbortController();
  const runs: FakeRun[] = [];
  const setting: Setting = {
    clock,
    runs,
    stop,
    passes: true,
    changes: 0,
    supervisor: new Supervisor({
      spec: { ...spec, ...more },
      output,
      clock,
      signal: stop.signal,
      graceMs: 1_000,
      launch: (onExit) => {
        const run = new FakeRun(onExit);
        runs.push(run);
        return run;
      },
      probe: async () => setting.passes,
      onChange: () => {
        setting.changes += 1;
      },
    }),
  };
  return setting;
}

/** Lets what is due happen, and what waits for it go on. */
async function pass({ clock }: Setting, milliseconds: number): Promise<void> {
  for (let left = milliseconds; left >= 0; left -= 50) {
    clock.advance(Math.min(50, left));
    for (let turn = 0; turn < 4; turn += 1) await new Promise((next) => setImmediate(next));
  }
}

test("Supervisor starts what has crashed again, later each time, up to a limit", async (t) => {
  const setting = setUp(t);
  await setting.supervisor.start();
  const delays: number[] = [];
  for (let crash = 0; crash < 7; crash += 1) {
    const { length } = setting.runs;
    setting.runs.at(-1)?.end(1);
    t.false(setting.supervisor.isReady);
    let waitedMs = 0;
    while (setting.runs.length === length) {
      setting.clock.advance(500);
      waitedMs += 500;
    }
    delays.push(waitedMs);
  }
  t.deepEqual(delays, [500, 1_000, 2_000, 4_000, 8_000, restartDelayMsMax, restartDelayMsMax]);
  t.is(setting.supervisor.restarts, 7);
  t.true(setting.supervisor.isReady);
});

test("Supervisor begins its delays anew after a run that was no crash loop", async (t) => {
  const setting = setUp(t);
  await setting.supervisor.start();
  for (let crash = 0; crash < 4; crash += 1) {
    setting.runs.at(-1)?.end(1);
    setting.clock.advance(restartDelayMsMax);
  }
  setting.clock.advance(61_000);
  setting.runs.at(-1)?.end(1);
  setting.clock.advance(500);
  t.is(setting.runs.length, 6);
});

test("Supervisor keeps down what is held, and starts it when released", async (t) => {
  const setting = setUp(t);
  await setting.supervisor.start();
  await setting.supervisor.hold("SIGKILL");
  t.deepEqual(setting.runs[0]?.signals, ["SIGKILL"]);
  setting.clock.advance(100_000);
  t.is(setting.runs.length, 1);
  t.is(setting.supervisor.restarts, 0);
  setting.supervisor.release();
  t.is(setting.runs.length, 2);
  setting.supervisor.release();
  t.is(setting.runs.length, 2, "a second release starts no second process");
});

test("Supervisor starts nothing once the pod ends", async (t) => {
  const setting = setUp(t);
  await setting.supervisor.start();
  setting.runs[0]?.end(1);
  setting.stop.abort();
  setting.clock.advance(100_000);
  t.is(setting.runs.length, 1);
});

test("Supervisor is ready when its readiness probe has passed, and not after one too many failures", async (t) => {
  const setting = setUp(t, { readinessProbe: probe });
  setting.passes = false;
  await setting.supervisor.start();
  await pass(setting, 1_000);
  t.false(setting.supervisor.isReady);
  setting.passes = true;
  await pass(setting, 500);
  t.true(setting.supervisor.isReady);
  setting.passes = false;
  await pass(setting, 1_900);
  t.true(setting.supervisor.isReady, "two failures are borne");
  await pass(setting, 1_200);
  t.false(setting.supervisor.isReady);
  setting.stop.abort();
});

test("Supervisor is not ready from the moment its container ends, whatever it last said", async (t) => {
  const setting = setUp(t, { readinessProbe: probe });
  await setting.supervisor.start();
  await pass(setting, 100);
  t.true(setting.supervisor.isReady);
  setting.runs[0]?.end(1);
  t.false(setting.supervisor.isReady);
  setting.passes = false;
  await pass(setting, 700);
  t.true(setting.supervisor.isRunning);
  t.false(setting.supervisor.isReady, "the new run has not passed yet");
  setting.stop.abort();
});

test("Supervisor waits for the start-up probe, and tells the last words when it does not pass", async (t) => {
  const setting = setUp(t, { startupProbe: { ...probe, failureThreshold: 2 } });
  setting.passes = false;
  const started = setting.supervisor.start();
  setting.supervisor.output.write("no port\n");
  const failed = t.throwsAsync(started, {
    code: "step_failed",
    message: 'Cannot start container "c": its start-up probe did not pass: no port',
  });
  await pass(setting, 2_500);
  await failed;
  t.false(setting.supervisor.isReady);
});

test("Supervisor asks for the start-up probe again in a later run, and ends one that fails it", async (t) => {
  const setting = setUp(t, { startupProbe: { ...probe, failureThreshold: 1 } });
  await setting.supervisor.start();
  t.true(setting.supervisor.isReady);
  setting.passes = false;
  setting.runs[0]?.end(1);
  await pass(setting, 700);
  t.true(setting.supervisor.isRunning);
  t.false(setting.supervisor.isReady);
  await pass(setting, 1_500);
  t.deepEqual(setting.runs[1]?.signals, ["SIGKILL"]);
  setting.stop.abort();
});

test("Supervisor ends what its liveness probe gives up on, and starts it again", async (t) => {
  const setting = setUp(t, { livenessProbe: probe });
  await setting.supervisor.start();
  await pass(setting, 3_500);
  t.is(setting.supervisor.restarts, 0);
  setting.passes = false;
  await pass(setting, 3_000);
  t.deepEqual(setting.runs[0]?.signals, ["SIGTERM"]);
  await pass(setting, 600);
  t.is(setting.runs.length, 2);
  t.is(setting.supervisor.restarts, 1);
  setting.stop.abort();
});

test("Supervisor runs an init container once, whether it ends well or not", async (t) => {
  for (const code of [0, 3]) {
    const setting = setUp(t);
    const ended = setting.supervisor.runToEnd();
    setting.runs[0]?.end(code);
    t.is(await ended, code);
    setting.clock.advance(100_000);
    t.is(setting.runs.length, 1);
    t.is(setting.supervisor.isReady, code === 0);
  }
});
