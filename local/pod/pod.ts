// One pod's life: network, volumes, init containers in order (a sidecar among them must pass its
// start-up probe before the next begins), then the applications; ready when all of its containers are;
// the end in reverse, applications first, sidecars last.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import { attempt } from "../command.ts";
import type { CommandResult } from "../command.ts";
import { Container, environmentOf, rootEnvironment } from "./container.ts";
import { execCommand, resolvConfFor } from "./launch-script.ts";
import type { LaunchPlan } from "./launch-script.ts";
import * as naming from "../names.ts";
import type { Names } from "../names.ts";
import { createPodNetwork, deletePodNetwork } from "../network.ts";
import { LocalError } from "../objects.ts";
import type { KubernetesObject } from "../objects.ts";
import { Output } from "./output.ts";
import { readPodSpec, serviceAccountOf } from "./pod-spec.ts";
import type { ContainerSpec, PodSpec } from "./pod-spec.ts";
import { runProbe } from "./probe.ts";
import type { Store } from "../store.ts";
import { Supervisor } from "./supervisor.ts";
import type { TokenSigner } from "./tokens.ts";
import { makeVolumes } from "./volumes.ts";
import type { Volumes } from "./volumes.ts";

export interface PodContext {
  readonly names: Names;
  readonly repository: string;
  /** Folders of this machine that no container is to see. */
  readonly hidden: readonly string[];
  readonly store: Store;
  readonly signer: TokenSigner;
  readonly clock: Clock;
  /** The uid of the pod's ServiceAccount, for its tokens. */
  readonly serviceAccountUid: string;
  /** Told of each change of phase or readiness. */
  readonly onStatus: (pod: RunningPod) => void;
  readonly onProgress: (pod: string, detail: string) => void;
}

/** The kernel takes 64. */
const hostnameCharactersMax = 63;
const execTimeoutMs = 180_000;
/** What sidecars get even when the applications have used all of the pod's time; as kubelet grants. */
const sidecarGraceMsMin = 2_000;

export class RunningPod {
  readonly object: KubernetesObject;
  readonly index: number;
  readonly name: string;
  readonly namespace: string;
  readonly address: string;
  phase: "Pending" | "Running" | "Failed" = "Pending";
  ready = false;
  reason = "";
  readonly containers: Supervisor[] = [];
  readonly #context: PodContext;
  readonly #directory: string;
  readonly #spec: PodSpec;
  readonly #stop = new AbortController();
  #volumes: Volumes | null = null;
  #starting: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | null = null;

  /** Throws LocalError for a spec that cannot be run here. */
  constructor(object: KubernetesObject, index: number, context: PodContext) {
    this.object = object;
    this.index = index;
    this.name = object.metadata.name;
    this.namespace = object.metadata.namespace ?? "default";
    this.address = naming.podAddress(index);
    this.#context = context;
    // A pod's namesake may still be on its way out: the index is what only one has at a time.
    const folder = `${this.namespace}.${this.name}.${index}`;
    this.#directory = path.join(context.names.stateDirectory, "pods", folder);
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
  start(): Promise<void> {
    this.#starting = this.#start().catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      this.phase = "Failed";
      this.reason = messageOf(error);
      this.#tell();
    });
    return this.#starting;
  }

  /** Ends everything and removes it, also when it has not come up yet. */
  stop(): Promise<void> {
    this.#stopping ??= this.#end();
    return this.#stopping;
  }

  /** A container by name; the first application's without one. Throws LocalError. */
  find(container: string | undefined): Supervisor {
    const [application] = this.#spec.containers;
    const wanted = container ?? application?.name;
    const found = this.containers.find(({ spec }) => spec.name === wanted);
    if (found !== undefined) return found;
    throw new LocalError("not_found", `Cannot find container "${wanted}" in pod "${this.name}"`, {
      next: `It has: ${this.containers.map(({ spec }) => spec.name).join(", ")}`,
    });
  }

  /** Runs a command beside a container, in its namespaces and as its user. Throws LocalError. */
  async exec(
    command: readonly string[],
    container: string | undefined,
    signal?: AbortSignal,
  ): Promise<CommandResult> {
    return this.#execute(this.#findRunning(container), command, execTimeoutMs, signal);
  }

  /** Program and arguments with which root does what `exec` does, on its own streams. */
  async entry(
    command: readonly string[],
    container: string | undefined,
  ): Promise<readonly string[]> {
    return entryOf(this.#findRunning(container), command);
  }

  #findRunning(container: string | undefined): Supervisor {
    const found = this.find(container);
    if (!found.isRunning) {
      throw new LocalError(
        "not_running",
        `Cannot run a command in container "${found.spec.name}" of pod "${this.name}": it is down`,
        { next: `See why: signet local logs ${this.namespace}/${this.name}` },
      );
    }
    return found;
  }

  async #execute(
    container: Supervisor,
    command: readonly string[],
    timeoutMs: number,
    signal: AbortSignal = this.#stop.signal,
  ): Promise<CommandResult> {
    const [program = "", ...args] = await entryOf(container, command);
    return attempt(program, args, { timeoutMs, environment: rootEnvironment, signal });
  }

  async #start(): Promise<void> {
    const { signal } = this.#stop;
    mkdirSync(this.#directory, { recursive: true, mode: 0o711 });
    writeFileSync(path.join(this.#directory, "resolv.conf"), resolvConfFor(this.namespace));
    await createPodNetwork(this.#context.names, this.index);
    if (signal.aborted) return;
    this.#volumes = await this.#makeVolumes();
    this.#tell();
    for (const spec of this.#spec.init) {
      if (signal.aborted) return;
      this.#context.onProgress(`${this.namespace}/${this.name}`, `container ${spec.name}`);
      const container = this.#add(spec);
      if (spec.sidecar) await container.start();
      else await this.#runToEnd(container);
    }
    if (signal.aborted) return;
    this.phase = "Running";
    const started = this.#spec.containers.map((spec) => this.#add(spec).start());
    this.#tell();
    await Promise.all(started);
    this.#judge();
  }

  async #end(): Promise<void> {
    this.#stop.abort();
    this.ready = false;
    const { clock, names } = this.#context;
    const begunAt = clock.monotonic();
    const isSidecar = ({ spec }: Supervisor): boolean => spec.sidecar;
    const end = (all: readonly Supervisor[], graceMs: number): Promise<unknown> =>
      Promise.all(all.map((container) => container.stop(graceMs)));
    await end(
      this.containers.filter((each) => !isSidecar(each)),
      this.#spec.graceMs,
    );
    // The grace is the pod's, not each container's.
    const left = begunAt + this.#spec.graceMs - clock.monotonic();
    await end(this.containers.filter(isSidecar).toReversed(), Math.max(sidecarGraceMsMin, left));
    await this.#starting;
    await end(this.containers, sidecarGraceMsMin);
    for (const { output } of this.containers) output.close();
    this.#volumes?.stop();
    await deletePodNetwork(names, this.index);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #makeVolumes(): Promise<Volumes> {
    const { store, signer, clock, serviceAccountUid } = this.#context;
    return makeVolumes(this.object, {
      store,
      signer,
      clock,
      directory: path.join(this.#directory, "volumes"),
      owner: (volume) => this.#ownerOf(volume),
      identity: {
        namespace: this.namespace,
        serviceAccount: { name: this.#spec.serviceAccount, uid: serviceAccountUid },
        pod: { name: this.name, uid: this.object.metadata.uid ?? "" },
      },
    });
  }

  #ownerOf(volume: string): { uid: number; gid: number } {
    const mounting = [...this.#spec.init, ...this.#spec.containers].find(({ mounts }) =>
      mounts.some((mount) => mount.volume === volume),
    );
    return { uid: mounting?.uid ?? 0, gid: mounting?.gid ?? 0 };
  }

  #add(spec: ContainerSpec): Supervisor {
    const { clock } = this.#context;
    const output = new Output(path.join(this.#directory, `${spec.name}.log`));
    const supervisor: Supervisor = new Supervisor({
      spec,
      output,
      clock,
      signal: this.#stop.signal,
      graceMs: this.#spec.graceMs,
      launch: (onExit) =>
        new Container({
          plan: this.#plan(spec),
          output,
          clock,
          onExit,
        }),
      probe: (probe) =>
        runProbe(probe, {
          address: this.address,
          networkNamespace: this.networkNamespace,
          execute: async (command, timeoutMs) =>
            (await this.#execute(supervisor, command, timeoutMs)).code === 0,
        }),
      onChange: () => this.#judge(),
    });
    this.containers.push(supervisor);
    return supervisor;
  }

  #plan(spec: ContainerSpec): LaunchPlan {
    const { repository, hidden } = this.#context;
    const stage = path.join(this.#directory, `run-${spec.name}`);
    mkdirSync(stage, { recursive: true, mode: 0o755 });
    return {
      networkNamespace: this.networkNamespace,
      hostname: this.name.slice(0, hostnameCharactersMax),
      stage,
      repository,
      resolvConf: path.join(this.#directory, "resolv.conf"),
      mounts: spec.mounts.map(({ volume, path: at, readOnly }) => {
        const source = this.#volumes?.folders.get(volume) ?? "";
        return { source, path: at, readOnly };
      }),
      uid: spec.uid,
      gid: spec.gid,
      capabilities: spec.capabilities,
      hidden,
      readOnlyRoot: spec.readOnlyRoot,
      environment: environmentOf(spec.environment),
      command: ["node_modules/node/bin/node", ...spec.nodeArguments],
    };
  }

  async #runToEnd(container: Supervisor): Promise<void> {
    const code = await container.runToEnd();
    if (code === 0 || this.#stop.signal.aborted) return;
    const last = container.output.lines.slice(-3).join(" | ");
    throw new LocalError(
      "step_failed",
      `Cannot start pod "${this.name}": container "${container.spec.name}" ended with ${code}: ${last}`,
    );
  }

  /** Ready: everything is up and says so itself. */
  #judge(): void {
    if (this.#stop.signal.aborted) return;
    const expected = this.#spec.init.length + this.#spec.containers.length;
    const isReady =
      this.phase === "Running" &&
      this.containers.length === expected &&
      this.containers.every((container) => container.isReady);
    if (this.ready === isReady) return;
    this.ready = isReady;
    this.#tell();
  }

  #tell(): void {
    this.#context.onStatus(this);
  }
}

async function entryOf(
  container: Supervisor,
  command: readonly string[],
): Promise<readonly string[]> {
  await container.entered;
  const { pid, spec } = container;
  return execCommand(pid, spec, environmentOf(spec.environment), command);
}
