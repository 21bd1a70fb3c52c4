// What a cluster's controllers and kubelet do with the store's objects: Deployments become pods, pods
// run, Services get addresses and endpoints.
import { isDeepStrictEqual } from "node:util";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { sleep } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { ownerOf, podOf, rolloutOf } from "./derive.ts";
import { admit } from "./inject.ts";
import { nodeAddress, podsMax } from "../names.ts";
import { applyServiceRules } from "../network.ts";
import { LocalError, isClusterWide, keyFor, keyOf } from "../objects.ts";
import type { KubernetesObject } from "../objects.ts";
import { serviceAccountOf } from "../pod/pod-spec.ts";
import { RunningPod } from "../pod/pod.ts";
import type { PodContext } from "../pod/pod.ts";
import { ClusterAddresses, backendsOf, putSlices, resolveName } from "./services.ts";
import { systemNamespace } from "./system-pods.ts";
import type { Trust } from "./trust.ts";

export interface ClusterOptions extends Omit<PodContext, "onStatus" | "serviceAccountUid"> {
  /** What the mesh begins with. */
  readonly trust: Trust;
  readonly trustDomain: TrustDomain;
  readonly log: Log;
  /** Ends a pod's name: what tells it from its siblings. */
  readonly podSuffix: () => string;
}

/** How long the new pods of a Deployment may take before the old ones are kept instead. */
const rolloutTimeoutMs = 60_000;
const pollMs = 50;
const suffixAttemptsMax = 20;

export class Cluster {
  readonly running: Map<string, RunningPod> = new Map();
  readonly #options: ClusterOptions;
  readonly #addresses = new ClusterAddresses();
  /** Of pods that run or are on their way out. */
  readonly #indexes = new Set<number>();
  #trust: Trust;
  #lastIndex = -1;
  #rules = "";
  #applying: Promise<void> = Promise.resolve();

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#trust = options.trust;
  }

  /** Other roots: each namespace's bundle says so, and pods that come are pinned to them. */
  setTrust(trust: Trust): void {
    this.#trust = trust;
    for (const { metadata } of this.#options.store.list("Namespace")) this.#furnish(metadata.name);
  }

  /**
   * Puts an object in force. Pods of a changed Deployment are replaced. Throws LocalError when it
   * cannot be, also when its pods cannot be started.
   */
  async apply(object: KubernetesObject): Promise<void> {
    const { store } = this.#options;
    if (!isClusterWide(object.kind)) this.#needNamespace(object);
    switch (object.kind) {
      case "Namespace":
        store.put(object);
        this.#furnish(object.metadata.name);
        return;
      case "Service":
        store.put(this.#addresses.assign(object));
        this.#endpoints();
        return;
      case "EndpointSlice":
        store.put(object);
        this.#endpoints();
        return;
      case "Deployment":
        await this.#deploy(store.put(object));
        return;
      case "Pod":
        await this.#applyPod(object);
        return;
      default:
        store.put(object);
    }
  }

  /** Removes an object and what hangs on it. False: there was none. */
  async delete(kind: string, namespace: string, name: string): Promise<boolean> {
    const { store } = this.#options;
    const key = keyFor(kind, namespace, name);
    const object = store.get(key);
    if (object === undefined) return false;
    if (kind === "Pod") {
      await this.#stopPods([`${namespace}/${name}`]);
      const owner = ownerOf(object);
      const deployment =
        owner === null ? undefined : store.get(keyFor("Deployment", namespace, owner));
      if (deployment !== undefined) await this.#deploy(deployment);
      return true;
    }
    store.delete(key);
    if (kind === "Deployment") await this.#stopPods(this.#namesOf(namespace, name));
    if (kind === "Namespace") {
      await this.#stopPods([...this.running.keys()].filter((pod) => pod.startsWith(`${name}/`)));
      for (const each of store.list()) {
        if (each.metadata.namespace === name) store.delete(keyOf(each));
      }
    }
    this.#endpoints();
    return true;
  }

  async stopAll(): Promise<void> {
    const pods = [...this.running.values()];
    const system = pods.filter((pod) => pod.namespace === systemNamespace);
    await Promise.all(pods.filter((pod) => !system.includes(pod)).map((pod) => pod.stop()));
    await Promise.all(system.map((pod) => pod.stop()));
    await this.#applying;
  }

  /** "namespace/name", or a part of the name that only one pod has. Throws LocalError. */
  find(name: string): RunningPod {
    const exact = this.running.get(name);
    if (exact !== undefined) return exact;
    const matching = [...this.running.keys()].filter((key) => key.includes(name));
    const [only] = matching;
    if (only !== undefined && matching.length === 1) return this.running.get(only)!;
    throw new LocalError(
      "not_found",
      `Cannot tell which pod "${name}" is: ${matching.length === 0 ? "none matches" : "several match"}`,
      { next: `Running now: ${[...this.running.keys()].join(", ")}` },
    );
  }

  /** Addresses of a DNS name below the cluster's domain; null: no such name. */
  resolve(name: string): readonly string[] | null {
    return resolveName(this.#options.store, name);
  }

  #needNamespace({ kind, metadata }: KubernetesObject): void {
    const namespace = metadata.namespace ?? "default";
    if (this.#options.store.get(keyFor("Namespace", "", namespace)) !== undefined) return;
    throw new LocalError(
      "not_found",
      `Cannot apply ${kind} "${metadata.name}": there is no namespace "${namespace}"`,
      { next: "Apply its Namespace first, or in the same call" },
    );
  }

  /** What every namespace has: its default account, and the roots that its pods begin with. */
  #furnish(namespace: string): void {
    const { store } = this.#options;
    const { bundle, links } = this.#trust;
    const account = keyFor("ServiceAccount", namespace, "default");
    if (store.get(account) === undefined) {
      const metadata = { name: "default", namespace };
      store.put({ apiVersion: "v1", kind: "ServiceAccount", metadata });
    }
    const metadata = { name: "signet-trust-bundle", namespace };
    const data = { "bundle.pem": bundle, ...(links === "" ? {} : { "links.pem": links }) };
    store.put({ apiVersion: "v1", kind: "ConfigMap", metadata, data });
  }

  /** New pods first; the old ones go once those serve, as in a rolling update. */
  async #deploy(deployment: KubernetesObject): Promise<void> {
    const { namespace = "default", name } = deployment.metadata;
    const pods = this.#namesOf(namespace, name).flatMap((pod) => {
      const running = this.running.get(pod);
      return running === undefined ? [] : (this.#stored(running) ?? []);
    });
    const { missing, surplus } = rolloutOf(deployment, pods);
    const started = await Promise.all(
      Array.from({ length: missing }, () => this.#startPod(podOf(deployment, this.#suffix()))),
    );
    if (surplus.length === 0) return;
    await this.#untilReady(started);
    await this.#stopPods(surplus.map((pod) => `${namespace}/${pod.metadata.name}`));
  }

  async #untilReady(pods: readonly RunningPod[]): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.monotonic() + rolloutTimeoutMs;
    for (const pod of pods) {
      while (!pod.ready) {
        if (!this.#isRunning(pod)) break;
        if (clock.monotonic() > deadline) {
          throw new LocalError(
            "step_failed",
            `Cannot replace the pods of "${pod.namespace}": "${pod.name}" does not get ready`,
            { next: `See its log: signet local logs ${pod.namespace}/${pod.name}` },
          );
        }
        await sleep(clock, pollMs);
      }
    }
  }

  /** A suffix that no pod has now. */
  #suffix(): string {
    for (let attempt = 0; attempt < suffixAttemptsMax; attempt += 1) {
      const suffix = this.#options.podSuffix();
      if (![...this.running.keys()].some((name) => name.endsWith(`-${suffix}`))) return suffix;
    }
    throw new LocalError("step_failed", "Cannot name a pod: every suffix tried is taken");
  }

  async #applyPod(object: KubernetesObject): Promise<void> {
    const running = this.running.get(`${object.metadata.namespace}/${object.metadata.name}`);
    if (running === undefined) {
      await this.#startPod(object);
      return;
    }
    const { object: wanted } = this.#admit(object);
    if (isDeepStrictEqual(essenceOf(wanted), essenceOf(running.object))) return;
    throw new LocalError(
      "not_possible_here",
      `Cannot change pod "${running.namespace}/${running.name}": pods are not changed in place`,
      { next: "Delete it and apply it again, or use a Deployment" },
    );
  }

  /** Throws LocalError when it does not start; it stays to be looked at, as in a cluster. */
  async #startPod(object: KubernetesObject): Promise<RunningPod> {
    const { store, log } = this.#options;
    const { object: admitted, warnings, skipped } = this.#admit(object);
    const name = `${object.metadata.namespace}/${object.metadata.name}`;
    for (const warning of warnings) log.warn("pod admitted with a warning", { pod: name, warning });
    if (skipped !== "") log.info("pod has no sidecar", { pod: name, reason: skipped });
    const account = serviceAccountOf(object);
    const key = keyFor("ServiceAccount", object.metadata.namespace ?? "default", account);
    const serviceAccountUid = store.get(key)?.metadata.uid;
    if (serviceAccountUid === undefined) {
      throw new LocalError(
        "not_found",
        `Cannot start pod "${name}": there is no ServiceAccount "${account}" in its namespace`,
        { next: "Apply the ServiceAccount first, or in the same call" },
      );
    }
    const index = this.#takeIndex(name);
    const stored = store.put({ ...admitted, status: { phase: "Pending" } });
    let pod: RunningPod;
    try {
      const onStatus = (changed: RunningPod): void => this.#status(changed);
      pod = new RunningPod(stored, index, { ...this.#options, serviceAccountUid, onStatus });
    } catch (error) {
      store.delete(keyOf(stored));
      this.#indexes.delete(index);
      throw error;
    }
    this.running.set(name, pod);
    await pod.start();
    if (pod.phase !== "Failed") return pod;
    throw new LocalError("step_failed", pod.reason, {
      next: `See its log: signet local logs ${name}`,
    });
  }

  #admit(object: KubernetesObject): ReturnType<typeof admit> {
    const { store } = this.#options;
    const namespace = store.get(keyFor("Namespace", "", object.metadata.namespace ?? "default"));
    const { trustDomain } = this.#options;
    const { fingerprints: rootFingerprints } = this.#trust;
    return admit(object, namespace?.metadata.labels ?? {}, { trustDomain, rootFingerprints });
  }

  /** The next one in turn: an address that has just become free is the last to be used again. */
  #takeIndex(name: string): number {
    for (let step = 1; step <= podsMax; step += 1) {
      const index = (this.#lastIndex + step) % podsMax;
      if (this.#indexes.has(index)) continue;
      this.#indexes.add(index);
      this.#lastIndex = index;
      return index;
    }
    throw new LocalError(
      "not_possible_here",
      `Cannot start pod "${name}": ${podsMax} pods is the limit without a cluster`,
    );
  }

  async #stopPods(names: readonly string[]): Promise<void> {
    const leaving = names.flatMap((name) => this.running.get(name) ?? []);
    for (const pod of leaving) {
      // Out of the endpoints first, so that nobody is sent there while it drains.
      this.running.delete(`${pod.namespace}/${pod.name}`);
      this.#options.store.delete(keyOf(pod.object));
    }
    this.#endpoints();
    await Promise.all(
      leaving.map(async (pod) => {
        await pod.stop();
        this.#indexes.delete(pod.index);
      }),
    );
  }

  /** Names of a Deployment's pods, the oldest first. */
  #namesOf(namespace: string, deployment: string): readonly string[] {
    return [...this.running]
      .filter(([, pod]) => pod.namespace === namespace && ownerOf(pod.object) === deployment)
      .map(([name]) => name);
  }

  #stored(pod: RunningPod): KubernetesObject | undefined {
    return this.#options.store.get(keyOf(pod.object));
  }

  #isRunning(pod: RunningPod): boolean {
    return this.running.get(`${pod.namespace}/${pod.name}`) === pod;
  }

  #status(pod: RunningPod): void {
    const { store, log } = this.#options;
    const { name, namespace, phase, ready, reason } = pod;
    log.info("pod status", { pod: `${namespace}/${name}`, phase, ready, reason });
    const current = this.#stored(pod);
    if (current === undefined || !this.#isRunning(pod)) return;
    store.put({
      ...current,
      status: {
        phase: pod.phase,
        podIP: pod.address,
        podIPs: [{ ip: pod.address }],
        hostIP: nodeAddress,
        conditions: [{ type: "Ready", status: pod.ready ? "True" : "False" }],
        ...(pod.reason === "" ? {} : { message: pod.reason }),
      },
    });
    this.#endpoints();
  }

  /** Endpoint slices and node rules follow from Services and pods. */
  #endpoints(): void {
    const { store, log } = this.#options;
    putSlices(store);
    const rules = backendsOf(store);
    const text = JSON.stringify(rules);
    if (text === this.#rules) return;
    this.#rules = text;
    this.#applying = this.#applying
      .then(() => applyServiceRules(rules))
      .catch((error: unknown) => {
        // The next change tries again: these rules are not in force.
        this.#rules = "";
        log.error("service rules not applied", { reason: messageOf(error) });
      });
  }
}

/** What a pod is started with. */
function essenceOf({ metadata, spec }: KubernetesObject): unknown {
  const { labels = {}, annotations = {} } = metadata;
  return structuredClone({ labels, annotations, spec });
}
