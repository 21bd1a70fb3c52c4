// The local mesh as one object: state, system pods, manifests, and the way up and down. Runs inside the
// node's network namespace.
import { randomInt } from "node:crypto";
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ensureDevelopmentCertificates } from "#/certs-dev/make.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import { Cluster } from "./cluster/cluster.ts";
import { serveControl } from "./control.ts";
import { statusOf } from "./cluster/derive.ts";
import { serveDns } from "./cluster/dns.ts";
import { parseManifest, readManifests } from "./manifest/manifests.ts";
import type { Manifest } from "./manifest/manifests.ts";
import * as naming from "./names.ts";
import type { Names } from "./names.ts";
import { LocalError, keyOf } from "./objects.ts";
import type { KubernetesObject } from "./objects.ts";
import { serviceAccountOf } from "./pod/pod-spec.ts";
import type { RunningPod } from "./pod/pod.ts";
import type { PodView, Progress, Status } from "./protocol.ts";
import { isCalled } from "./cluster/services.ts";
import { Store } from "./store.ts";
import { adminSocketName, controllerUser, systemObjects } from "./cluster/system-pods.ts";
import type { ControllerFolders } from "./cluster/system-pods.ts";
import { followTrust, forgetRotations, passRequestsOn, trustOf } from "./cluster/trust.ts";
import type { Trust } from "./cluster/trust.ts";
import { TokenSigner, tokenIssuer } from "./pod/tokens.ts";
import { serveWorld } from "./cluster/world-socket.ts";

export interface RuntimeOptions {
  readonly names: Names;
  readonly repository: string;
  /** Folder with root.crt, intermediate.crt, intermediate.key; made when it is not there. */
  readonly authorityDirectory: string;
  readonly manifests: readonly string[];
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly log: Log;
}

const progressKept = 1000;
/** For the pods of the manifests to say that they are ready, once they have been started. */
const readyTimeoutMs = 60_000;
const readyPollMs = 50;
/** As a cluster's: no vowels, so that no word comes of them. */
const suffixAlphabet = "bcdfghjklmnpqrstvwxz2456789";
const suffixCharacters = 5;

/** Sees that there is an authority, then makes the runtime; nothing runs before `start`. */
export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  const trustDomain = parseTrustDomain(options.trustDomain);
  await ensureDevelopmentCertificates(options.authorityDirectory, trustDomain);
  return new Runtime({ ...options, trustDomain });
}

export class Runtime {
  readonly store: Store;
  readonly cluster: Cluster;
  readonly phase: Watch<Status["phase"]> = new Watch<Status["phase"]>("starting");
  readonly progress: Progress[] = [];
  readonly adminSocket: string;
  readonly #options: RuntimeOptions;
  readonly #signer: TokenSigner;
  readonly #folders: ControllerFolders;
  readonly #listeners = new Set<(progress: Progress) => void>();
  readonly #startedAtMs: number;
  readonly #resources = new AsyncDisposableStack();
  readonly #stopped = Promise.withResolvers<void>();
  #reason = "";
  #next = "";
  #changing: Promise<unknown> = Promise.resolve();

  constructor(options: RuntimeOptions) {
    const { clock, names, authorityDirectory } = options;
    const now = (): number => clock.now();
    this.#options = options;
    this.#startedAtMs = clock.now();
    this.store = new Store(now);
    this.#signer = new TokenSigner(now);
    this.#folders = makeFolders(names.stateDirectory);
    this.adminSocket = path.join(this.#folders.admin, adminSocketName);
    copyAuthority(authorityDirectory, this.#folders.authority);
    const rootsPem = readFileSync(path.join(authorityDirectory, "root.crt"), "utf8");
    this.cluster = new Cluster({
      ...options,
      trustDomain: parseTrustDomain(options.trustDomain),
      store: this.store,
      signer: this.#signer,
      trust: trustOf(rootsPem, ""),
      hidden: [authorityDirectory, names.stateDirectory],
      podSuffix,
      onProgress: (pod, detail) => this.#tell(pod, detail, "begun"),
    });
  }

  /** Resolves when everything runs; throws LocalError when it cannot be brought up. */
  async start(): Promise<void> {
    const { names, log } = this.#options;
    this.#resources.use(await serveControl(this, naming.controlSocket(names), log));
    try {
      await this.#bringUp();
      this.phase.set("ready");
    } catch (error) {
      this.#reason = messageOf(error);
      this.#next = error instanceof MeshError ? error.next : "";
      this.#tell("mesh", this.#reason, "failed");
      this.phase.set("failed");
      throw error;
    }
  }

  /** Applies every object of a YAML text. Resolves with their keys; throws LocalError. */
  async applyText(text: string): Promise<readonly string[]> {
    const manifest = parseManifest(text, "input");
    await this.#inTurn(() => this.#applyAll(manifest));
    return manifest.objects.map(keyOf);
  }

  /** False: there was none. */
  deleteObject(kind: string, namespace: string, name: string): Promise<boolean> {
    return this.#inTurn(() => this.cluster.delete(kind, namespace, name));
  }

  /** Changes one after the other: what one sees is what the one before it has left. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(change);
    this.#changing = done.catch(() => {});
    return done;
  }

  status(): Status {
    return {
      pid: process.pid,
      startedAtMs: this.#startedAtMs,
      phase: this.phase.get(),
      reason: this.#reason,
      next: this.#next,
      nodeNamespace: naming.nodeNamespace(this.#options.names),
      trustDomain: this.#options.trustDomain,
      pods: [...this.cluster.running.values()].map((pod) => this.#viewOf(pod)),
    };
  }

  onProgress(listener: (progress: Progress) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  requestStop(): void {
    this.#stopped.resolve();
  }

  get stopRequested(): Promise<void> {
    return this.#stopped.promise;
  }

  async stop(): Promise<void> {
    this.phase.set("stopping");
    await this.cluster.stopAll();
    await this.#resources.disposeAsync();
  }

  async #bringUp(): Promise<void> {
    const { log } = this.#options;
    const world = this.#folders.world;
    await this.#step("cluster DNS", async () => {
      const resolve = (name: string): readonly string[] | null => this.cluster.resolve(name);
      this.#resources.use(await serveDns(naming.nodeAddress, resolve, log));
    });
    await this.#step("world", async () => {
      writeFileSync(path.join(world, "jwks.json"), await this.#signer.jwks(), { mode: 0o644 });
      const socket = path.join(world, "world.sock");
      this.#resources.use(await serveWorld(this.store, socket));
      chownSync(socket, controllerUser, controllerUser);
    });
    await this.#step("controller and certificate authority", async () => {
      const { clock } = this.#options;
      const { authority } = this.#folders;
      const follow = (trust: Trust): void => this.cluster.setTrust(trust);
      this.#resources.use(followTrust(authority, clock, log, follow));
      this.#resources.defer(passRequestsOn(this.store, authority));
      const { trustDomain } = this.#options;
      for (const object of systemObjects(this.#folders, tokenIssuer, trustDomain))
        await this.cluster.apply(object);
      await this.cluster.apply(defaultNamespace);
    });
    await this.#step("workloads", async () => {
      for (const location of this.#options.manifests) {
        await this.#applyAll(readManifests(location), true);
      }
      await this.#untilReady();
    });
  }

  /**
   * Everything that is not a workload first, so that pods find what they name; then workloads at once.
   * `inOrder`: those that a Service stands for are ready before the others begin, so that whoever calls
   * them finds them there, with the first request.
   */
  async #applyAll({ objects, warnings }: Manifest, inOrder = false): Promise<void> {
    for (const warning of warnings) this.#options.log.warn("manifest", { warning });
    const workload = (object: KubernetesObject): boolean =>
      object.kind === "Deployment" || object.kind === "Pod";
    const order = (object: KubernetesObject): number => (object.kind === "Namespace" ? 0 : 1);
    const rest = objects.filter((each) => !workload(each));
    for (const object of rest.toSorted((a, b) => order(a) - order(b))) {
      await this.cluster.apply(object);
    }
    const services = inOrder ? this.store.list("Service") : [];
    const called = objects.filter((each) => workload(each) && isCalled(each, services));
    await this.#applyAtOnce(called);
    if (called.length > 0) await this.#untilReady();
    await this.#applyAtOnce(objects.filter((each) => workload(each) && !called.includes(each)));
  }

  /** All are waited for, also when one fails: nothing goes on behind the answer. */
  async #applyAtOnce(objects: readonly KubernetesObject[]): Promise<void> {
    const applied = await Promise.allSettled(objects.map((object) => this.cluster.apply(object)));
    const failed = applied.find((each) => each.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async #untilReady(): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.monotonic() + readyTimeoutMs;
    for (;;) {
      const waiting = [...this.cluster.running.values()].find((pod) => !pod.ready);
      if (waiting === undefined) return;
      const name = `${waiting.namespace}/${waiting.name}`;
      if (clock.monotonic() > deadline) {
        const unready = waiting.containers.find((container) => !container.isReady);
        const last = unready?.output.lines.slice(-3).join(" | ") ?? "";
        throw new LocalError("step_failed", `Pod "${name}" does not get ready`, {
          next: `The last words of its container "${unready?.spec.name}": ${last}`,
        });
      }
      await sleep(clock, readyPollMs);
    }
  }

  async #step(step: string, work: () => Promise<void>): Promise<void> {
    this.#tell(step, "", "begun");
    await work();
    this.#tell(step, "", "done");
  }

  #tell(step: string, detail: string, state: Progress["state"]): void {
    const progress = { step, detail, state, atMs: this.#options.clock.now() };
    this.progress.push(progress);
    if (this.progress.length > progressKept) this.progress.shift();
    for (const listener of this.#listeners) listener(progress);
  }

  #viewOf(pod: RunningPod): PodView {
    const { metadata } = pod.object;
    const stored = this.store.get(keyOf(pod.object));
    return {
      namespace: pod.namespace,
      name: pod.name,
      uid: metadata.uid ?? "",
      address: pod.address,
      serviceAccount: serviceAccountOf(pod.object),
      networkNamespace: pod.networkNamespace,
      link: naming.podLink(pod.index),
      phase: stored === undefined ? pod.phase : statusOf(stored).phase,
      ready: pod.ready,
      reason: pod.reason,
      meshed: metadata.annotations?.["signet.dev/status"] === "injected",
      labels: metadata.labels ?? {},
      containers: pod.containers.map(({ spec, pid, restarts, isRunning, output }) => ({
        name: spec.name,
        pid,
        restarts,
        running: isRunning,
        logFile: output.file,
      })),
    };
  }
}

const defaultNamespace: KubernetesObject = {
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: "default" },
};

function podSuffix(): string {
  return Array.from({ length: suffixCharacters }, () =>
    suffixAlphabet.charAt(randomInt(suffixAlphabet.length)),
  ).join("");
}

function makeFolders(stateDirectory: string): ControllerFolders {
  const folder = (name: string): string => {
    const location = path.join(stateDirectory, name);
    mkdirSync(location, { recursive: true, mode: 0o700 });
    chownSync(location, controllerUser, controllerUser);
    return location;
  };
  return {
    authority: folder("authority"),
    data: folder("data"),
    world: folder("world"),
    admin: folder("admin"),
  };
}

/** The controller's user gets what it signs issuers with, and what it rotates them with. */
function copyAuthority(from: string, to: string): void {
  forgetRotations(to);
  for (const name of ["root.crt", "root.key", "intermediate.crt", "intermediate.key"]) {
    const file = path.join(to, name);
    writeFileSync(file, readFileSync(path.join(from, name)), { mode: 0o600 });
    chmodSync(file, 0o600);
    chownSync(file, controllerUser, controllerUser);
  }
}
