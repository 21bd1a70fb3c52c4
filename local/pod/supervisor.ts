// One container over all of its runs: started, probed, started again with back-off when it ends, held
// when somebody wants it to stay down. Says whether it is ready; whoever owns it hears of each change.
import { sleep } from "#/lib/clock.ts";
import type { Clock } from "#/lib/clock.ts";
import { LocalError } from "../objects.ts";
import type { Output } from "./output.ts";
import type { ContainerSpec, Probe } from "./pod-spec.ts";

const restartDelayMsMin = 500;
export const restartDelayMsMax = 10_000;
/** A run as long as this is no crash loop: the delay begins anew. */
const settledMs = 60_000;
/** Looked at more often than the period says until it passes: a person is waiting. */
const startupPeriodMs = 100;
const unreadyPeriodMs = 250;

/** One run, as container.ts makes it. */
export interface Run {
  readonly pid: number;
  /** null while it runs. */
  readonly exit: { readonly code: number | null; readonly signal: string | null } | null;
  readonly ended: Promise<void>;
  /** Resolves when its namespaces are complete, or it has ended. */
  readonly entered: Promise<void>;
  signal(name: NodeJS.Signals): void;
  stop(graceMs: number, clock: Clock): Promise<void>;
}

export interface SupervisorOptions {
  readonly spec: ContainerSpec;
  readonly output: Output;
  readonly clock: Clock;
  /** Aborts when the pod ends: nothing is started or probed from then on. */
  readonly signal: AbortSignal;
  /** Between SIGTERM and SIGKILL when its liveness probe fails. */
  readonly graceMs: number;
  readonly launch: (onExit: () => void) => Run;
  readonly probe: (probe: Probe) => Promise<boolean>;
  readonly onChange: () => void;
}

export class Supervisor {
  readonly spec: ContainerSpec;
  readonly output: Output;
  restarts = 0;
  readonly #options: SupervisorOptions;
  #container: Run | null = null;
  #isHeld = false;
  /** Ended with 0, and is not to be started again: an init container. */
  #isFinished = false;
  /** Its start-up probe has passed in this run, or it has none. */
  #isStarted: boolean;
  #isPassing: boolean;
  #delayMs = restartDelayMsMin;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.spec = options.spec;
    this.output = options.output;
    this.#isStarted = options.spec.startupProbe === null;
    this.#isPassing = options.spec.readinessProbe === null;
  }

  get pid(): number {
    return this.#container?.pid ?? 0;
  }

  /** Resolves when somebody may enter it: before that it is half made. */
  get entered(): Promise<void> {
    return this.#container?.entered ?? Promise.resolve();
  }

  get isRunning(): boolean {
    return this.#container !== null && this.#container.exit === null;
  }

  /** What the pod's readiness needs of this container. */
  get isReady(): boolean {
    return this.#isFinished || (this.isRunning && this.#isStarted && this.#isPassing);
  }

  /** Runs it once; resolves with its exit code, or null when a signal ended it. */
  async runToEnd(): Promise<number | null> {
    this.#container = this.#options.launch(() => {});
    await this.#container.ended;
    const code = this.#container.exit?.code ?? null;
    this.#isFinished = code === 0;
    return code;
  }

  /** Starts it and keeps it running; resolves when its start-up probe has passed. Throws LocalError. */
  async start(): Promise<void> {
    this.#run();
    await this.#awaitStartup();
    const { readinessProbe, livenessProbe } = this.spec;
    void this.#watch(readinessProbe, async (passed) => this.#setPassing(passed));
    void this.#watch(livenessProbe, async (passed) => {
      const { graceMs, clock } = this.#options;
      if (!passed) await this.#container?.stop(graceMs, clock);
    });
  }

  /** Ends it and keeps it down, until `release`. Resolves when it has ended. */
  async hold(signal: NodeJS.Signals): Promise<void> {
    this.#isHeld = true;
    this.#container?.signal(signal);
    if (this.isRunning) await this.#container?.ended;
  }

  release(): void {
    this.#isHeld = false;
    this.#delayMs = restartDelayMsMin;
    if (!this.isRunning) this.#rerun();
  }

  async stop(graceMs: number): Promise<void> {
    this.#isHeld = true;
    await this.#container?.stop(graceMs, this.#options.clock);
  }

  #run(): void {
    const { clock, launch, signal } = this.#options;
    const begunAt = clock.monotonic();
    this.#container = launch(() => {
      this.#isPassing = this.spec.readinessProbe === null;
      this.#isStarted = this.spec.startupProbe === null;
      this.#options.onChange();
      if (signal.aborted || this.#isHeld) return;
      this.restarts += 1;
      if (clock.monotonic() - begunAt > settledMs) this.#delayMs = restartDelayMsMin;
      const delayMs = this.#delayMs;
      this.#delayMs = Math.min(restartDelayMsMax, 2 * delayMs);
      clock.after(delayMs, () => {
        if (!signal.aborted && !this.#isHeld && !this.isRunning) this.#rerun();
      });
    });
    this.#options.onChange();
  }

  /** As the first time, but there is nobody to tell: what does not start up is ended, and tried again. */
  #rerun(): void {
    this.#run();
    const started = this.#container;
    this.#awaitStartup().catch(() => started?.signal("SIGKILL"));
  }

  async #awaitStartup(): Promise<void> {
    const { startupProbe, name } = this.spec;
    if (startupProbe === null) return;
    const { clock, signal, probe, onChange } = this.#options;
    const { failureThreshold, periodMs, delayMs } = startupProbe;
    const deadline = clock.monotonic() + delayMs + failureThreshold * periodMs;
    while (!signal.aborted) {
      if (this.isRunning && (await probe(startupProbe)) && this.isRunning) {
        this.#isStarted = true;
        return onChange();
      }
      if (clock.monotonic() > deadline) {
        const last = this.output.lines.slice(-3).join(" | ");
        throw new LocalError(
          "step_failed",
          `Cannot start container "${name}": its start-up probe did not pass: ${last}`,
        );
      }
      await sleep(clock, startupPeriodMs, signal);
    }
  }

  /** Reports each pass at once, and a failure when it is one too many. */
  async #watch(probe: Probe | null, report: (passed: boolean) => Promise<void>): Promise<void> {
    if (probe === null) return;
    const { clock, signal } = this.#options;
    let failures = 0;
    await sleep(clock, probe.delayMs, signal);
    while (!signal.aborted) {
      const watched = this.#container;
      const isUp = this.isRunning && this.#isStarted;
      const passed = isUp && (await this.#options.probe(probe));
      // What was probed may have ended meanwhile: that is told by its exit.
      const isSame = isUp && this.#container === watched && this.isRunning;
      failures = passed || !isSame ? 0 : failures + 1;
      if (isSame && (passed || failures >= probe.failureThreshold)) await report(passed);
      await sleep(clock, this.isReady ? probe.periodMs : unreadyPeriodMs, signal);
    }
  }

  #setPassing(isPassing: boolean): void {
    if (this.#isPassing === isPassing) return;
    this.#isPassing = isPassing;
    this.#options.onChange();
  }
}
