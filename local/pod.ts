// One pod's life: network, volumes, init containers in order (a sidecar among them must pass its
// start-up probe before the next begins), then the applications; readiness as its probes say; the end
// in reverse, applications first, sidecars last.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import { attempt } from "./command.ts";
import type { CommandResult } from "./command.ts";
import { Container } from "./container.ts";
import { launchCommand, resolvConfFor } from "./launch-script.ts";
import type { LaunchPlan } from "./launch-script.ts";
import * as naming from "./names.ts";
import type { Names } from "./names.ts";
import { createPodNetwork, deletePodNetwork } from "./network.ts";
import { LocalError } from "./objects.ts";
import type { KubernetesObject } from "./objects.ts";
import { readPodSpec, serviceAccountOf } from "./pod-spec.ts";
import type { ContainerSpec, PodSpec } from "./pod-spec.ts";
import { runProbe } from "./probe.ts";
import type { Store } from "./store.ts";
import type { TokenSigner } from "./tokens.ts";
import { makeVolumes } from "./volumes.ts";
import type { Volumes } from "./volumes.ts";

export interface PodContext {
  readonly names: Names;
  readonly repository: string;
  readonly store: Store;
  readonly signer: TokenSigner;
  readonly clock: Clock;
  /** Told of each change of phase or readiness. */
  readonly onStatus: (pod: RunningPod) => void;
  readonly onProgress: (pod: string, detail: string) => void;
}

export interface RunningContainer {
  readonly spec: ContainerSpec;
  container: Container | null;
  restarts: number;
  /** Stopped on purpose: not started again. */
  held: boolean;
}

const restartDelayMsMax = 10_000;
const execTimeoutMs = 180_000;

export class RunningPod {
  readonly object: KubernetesObject;
  readonly index: number;
  readonly name: string;
  readonly namespace: string;
  readonly address: string;
  phase: "Pending" | "Running" | "Failed" = "Pending";
  ready = false;
  reason = "";
  readonly containers: RunningContainer[] = [];
  readonly #context: PodContext;
  readonly #directory: string;
  readonly #spec: PodSpec;
  readonly #stop = new AbortController();
  #volumes: Volumes | null = null;

  constructor(object: KubernetesObject, index: number, context: PodContext) {
    this.object = object;
    this.index = index;
    this.name = object.metadata.name;
    this.namespace = object.metadata.namespace ?? "default";
    this.address = naming.podAddress(index);
    this.#context = context;
    this.#directory = path.join(
      context.names.stateDirectory,
      "pods",
      `${this.namespace}.${this.name}`,
    );
    this.#spec = readPodSpec(object, {
      name: this.name,
      namespace: this.namespace,
      uid: object.metadata.uid ?? "",
      ip: this.address,
      serviceAccount: serviceAccountOf(object),
    });
  }

  get networkNamespace(): string {
    return naming.podNamespace(this.#context.names, this.index);
  }

  /** Resolves when the applications have been started; never rejects: a fault is the pod's status. */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      this.phase = "Failed";
      this.reason = messageOf(error);
      this.#tell();
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    const { clock, names } = this.#context;
    const sidecars = this.containers.filter(({ spec }) => spec.sidecar);
    const others = this.containers.filter(({ spec }) => !spec.sidecar);
    const end = (all: readonly RunningContainer[]): Promise<unknown> =>
      Promise.all(all.flatMap(({ container }) => container?.stop(this.#spec.graceMs, clock) ?? []));
    await end(others);
    await end(sidecars.toReversed());
    this.#volumes?.stop();
    await deletePodNetwork(names, this.index);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  find(container: string | undefined): RunningContainer {
    const found =
      container === undefined
        ? this.containers.find(({ spec }) => this.#spec.containers.includes(spec))
        : this.containers.find(({ spec }) => spec.name === container);
    if (found !== undefined) return found;
    throw new LocalError(
      "not_found",
      `Cannot find container "${container}" in pod "${this.name}"`,
      {
        next: `It has: ${this.containers.map(({ spec }) => spec.name).join(", ")}`,
      },
    );
  }

  /** Stops a container and keeps it stopped, or lets it run again. */
  async hold(running: RunningContainer, held: boolean, signal: NodeJS.Signals): Promise<void> {
    running.held = held;
    if (held) {
      running.container?.signal(signal);
      await running.container?.ended;
    } else if (running.container === null || running.container.exit !== null) this.#run(running);
  }

  /** Runs a command in the pod as the user of `container`. */
  exec(command: readonly string[], container: string | undefined): Promise<CommandResult> {
    const { spec } = this.find(container);
    const stage = this.#stageOf(`exec-${spec.name}-${this.#execCount++}`);
    const [program = "", ...args] = launchCommand({ ...this.#plan(spec), stage, command });
    return attempt(program, args, "", execTimeoutMs).finally(() =>
      rmSync(stage, { recursive: true, force: true }),
    );
  }
  #execCount = 0;

  async #start(): Promise<void> {
    const { names, store, signer, clock } = this.#context;
    mkdirSync(this.#directory, { recursive: true, mode: 0o711 });
    writeFileSync(path.join(this.#directory, "resolv.conf"), resolvConfFor(this.namespace));
    await createPodNetwork(names, this.index);
    this.#volumes = await makeVolumes(this.object, {
      store,
      signer,
      clock,
      directory: path.join(this.#directory, "volumes"),
      owner: (volume) => this.#ownerOf(volume),
      identity: {
        namespace: this.namespace,
        serviceAccount: { name: this.#spec.serviceAccount, uid: `${this.namespace}-sa` },
        pod: { name: this.name, uid: this.object.metadata.uid ?? "" },
      },
    });
    this.phase = "Pending";
    this.#tell();
    for (const spec of this.#spec.init) {
      this.#context.onProgress(`${this.namespace}/${this.name}`, `container ${spec.name}`);
      if (spec.sidecar) await this.#startAndAwait(this.#add(spec));
      else await this.#runToEnd(spec);
      if (this.#stop.signal.aborted) return;
    }
    this.phase = "Running";
    const started = this.#spec.containers.map((spec) => this.#startAndAwait(this.#add(spec)));
    this.#tell();
    await Promise.all(started);
    for (const running of this.containers) void this.#watchReadiness(running);
    if (this.#probed().length === 0) this.#setReady(true);
  }

  #ownerOf(volume: string): { uid: number; gid: number } {
    const mounting = [...this.#spec.init, ...this.#spec.containers].find(({ mounts }) =>
      mounts.some((mount) => mount.volume === volume),
    );
    return { uid: mounting?.uid ?? 0, gid: mounting?.gid ?? 0 };
  }

  #add(spec: ContainerSpec): RunningContainer {
    const running: RunningContainer = { spec, container: null, restarts: 0, held: false };
    this.containers.push(running);
    this.#run(running);
    return running;
  }

  #run(running: RunningContainer): void {
    running.container = this.#launch(running.spec, () => {
      if (this.#stop.signal.aborted || running.held) return;
      running.restarts += 1;
      const delayMs = Math.min(restartDelayMsMax, 250 * 2 ** Math.min(running.restarts, 10));
      this.#context.clock.after(delayMs, () => {
        if (!this.#stop.signal.aborted && !running.held) this.#run(running);
      });
    });
  }

  #launch(spec: ContainerSpec, onExit: () => void): Container {
    return new Container({
      plan: this.#plan(spec),
      environment: spec.environment,
      logFile: path.join(this.#directory, `${spec.name}.log`),
      onExit,
      onLine: () => {},
    });
  }

  #plan(spec: ContainerSpec): LaunchPlan {
    const { repository } = this.#context;
    return {
      networkNamespace: this.networkNamespace,
      stage: this.#stageOf(spec.name),
      repository,
      resolvConf: path.join(this.#directory, "resolv.conf"),
      mounts: spec.mounts.map(({ volume, path: at, readOnly }) => {
        const source = this.#volumes?.folders.get(volume);
        if (source === undefined) {
          throw new LocalError(
            "object_invalid",
            `Cannot mount volume "${volume}": the pod has none`,
          );
        }
        return { source, path: at, readOnly };
      }),
      uid: spec.uid,
      gid: spec.gid,
      capabilities: spec.capabilities,
      command: ["node_modules/node/bin/node", ...spec.nodeArguments],
    };
  }

  #stageOf(name: string): string {
    const stage = path.join(this.#directory, `run-${name}`);
    mkdirSync(stage, { recursive: true, mode: 0o755 });
    return stage;
  }

  async #runToEnd(spec: ContainerSpec): Promise<void> {
    const running: RunningContainer = { spec, container: null, restarts: 0, held: true };
    this.containers.push(running);
    running.container = this.#launch(spec, () => {});
    await running.container.ended;
    const code = running.container.exit?.code;
    if (code === 0 || this.#stop.signal.aborted) return;
    throw new LocalError(
      "step_failed",
      `Cannot start pod "${this.name}": container "${spec.name}" ended with ${code}: ${running.container.lines.slice(-3).join(" | ")}`,
    );
  }

  async #startAndAwait(running: RunningContainer): Promise<void> {
    const probe = running.spec.startupProbe;
    if (probe === null) return;
    const { clock } = this.#context;
    const signal = this.#stop.signal;
    const deadline = clock.monotonic() + probe.failureThreshold * probe.periodMs;
    // Looked at more often than the period says: a person is waiting.
    while (!signal.aborted) {
      if (await runProbe(probe, this.address, this.networkNamespace)) return;
      if (clock.monotonic() > deadline) {
        const last = running.container?.lines.slice(-3).join(" | ") ?? "";
        throw new LocalError(
          "step_failed",
          `Cannot start pod "${this.name}": container "${running.spec.name}" did not pass its start-up probe: ${last}`,
        );
      }
      await sleep(clock, 100, signal);
    }
  }

  #probed(): readonly RunningContainer[] {
    return this.containers.filter(({ spec }) => spec.readinessProbe !== null);
  }

  readonly #passing = new Map<RunningContainer, boolean>();

  async #watchReadiness(running: RunningContainer): Promise<void> {
    const probe = running.spec.readinessProbe;
    if (probe === null) return;
    const { clock } = this.#context;
    const { signal } = this.#stop;
    let failures = 0;
    while (!signal.aborted) {
      const passed = await runProbe(probe, this.address, this.networkNamespace);
      failures = passed ? 0 : failures + 1;
      if (passed || failures >= probe.failureThreshold) this.#passing.set(running, passed);
      this.#setReady(this.#probed().every((each) => this.#passing.get(each) === true));
      await sleep(clock, this.ready ? probe.periodMs : 250, signal);
    }
  }

  #setReady(ready: boolean): void {
    if (this.ready === ready || this.#stop.signal.aborted) return;
    this.ready = ready;
    this.#tell();
  }

  #tell(): void {
    this.#context.onStatus(this);
  }
}
