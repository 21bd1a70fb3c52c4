// What a cluster's controllers and kubelet do with the store's objects: Deployments become pods, pods
// run, Services get addresses and endpoints, and every pod passes the injector on its way in.
import { applyPatch } from "#/injector/apply-patch.ts";
import { decide } from "#/injector/decide.ts";
import { injectorDefaults } from "#/injector/config.ts";
import { buildPatch } from "#/injector/patch.ts";
import { readPod } from "#/injector/pod.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import {
  endpointSliceOf,
  isReady,
  podsOf,
  servicePorts,
  statusOf,
  targetPortOf,
} from "./derive.ts";
import { selects } from "./derive.ts";
import { clusterAddress, clusterDomain, podsMax, servicesMax } from "./names.ts";
import { applyServiceRules } from "./network.ts";
import type { ServiceBackend } from "./network.ts";
import { LocalError, keyFor, keyOf } from "./objects.ts";
import type { KubernetesObject, Labels } from "./objects.ts";
import { RunningPod } from "./pod.ts";
import type { PodContext } from "./pod.ts";
import { systemNamespace } from "./system-pods.ts";

export interface ClusterOptions extends Omit<PodContext, "onStatus"> {
  readonly rootFingerprints: readonly string[];
  readonly rootsPem: string;
  readonly log: Log;
}

export class Cluster {
  readonly running: Map<string, RunningPod> = new Map();
  readonly #options: ClusterOptions;
  readonly #clusterAddresses = new Map<string, string>();
  #nextPod = 0;
  #rules = "";
  #applying: Promise<void> = Promise.resolve();

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** Puts an object in force. Pods of a changed Deployment are replaced. Throws LocalError. */
  async apply(object: KubernetesObject): Promise<void> {
    const { store } = this.#options;
    switch (object.kind) {
      case "Namespace":
        store.put(object);
        this.#publishBundle(object.metadata.name);
        return;
      case "Service":
        store.put(this.#withAddress(object));
        this.#endpoints();
        return;
      case "Deployment":
        store.put(object);
        await this.#deploy(object);
        return;
      case "Pod":
        await this.#startPod(object);
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
    if (kind === "Deployment")
      await this.#stopPods((pod) => ownerOf(pod.object) === name, namespace);
    if (kind === "Pod") await this.#stopPods((pod) => pod.name === name, namespace);
    if (kind === "Namespace") {
      await this.#stopPods(() => true, name);
      for (const each of store.list()) {
        if (each.metadata.namespace === name) store.delete(keyOf(each));
      }
    }
    store.delete(key);
    this.#endpoints();
    return true;
  }

  async stopAll(): Promise<void> {
    const pods = [...this.running.values()];
    const system = pods.filter((pod) => pod.namespace === systemNamespace);
    await Promise.all(pods.filter((pod) => !system.includes(pod)).map((pod) => pod.stop()));
    await Promise.all(system.map((pod) => pod.stop()));
  }

  /** "namespace/name", or a part of the name that only one pod has. */
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

  /** Addresses of a DNS name below the cluster's domain. */
  resolve(name: string): readonly string[] | null {
    const match = /^([^.]+)\.([^.]+)\.svc\.(.+)$/.exec(name);
    if (match === null || match[3] !== clusterDomain) return null;
    const service = this.#options.store.get(keyFor("Service", match[2] ?? "", match[1] ?? ""));
    if (service === undefined) return null;
    const address = service.spec?.["clusterIP"] as string;
    if (address !== "None") return [address];
    return this.#members(service)
      .filter(isReady)
      .flatMap((pod) => statusOf(pod).podIP ?? []);
  }

  #publishBundle(namespace: string): void {
    this.#options.store.put({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "signet-trust-bundle", namespace },
      data: { "bundle.pem": this.#options.rootsPem },
    });
  }

  #withAddress(service: KubernetesObject): KubernetesObject {
    const key = keyOf(service);
    if (service.spec?.["clusterIP"] === "None") return service;
    let address = this.#clusterAddresses.get(key);
    if (address === undefined) {
      if (this.#clusterAddresses.size >= servicesMax) {
        throw new LocalError(
          "not_possible_here",
          `Cannot add Service: ${servicesMax} is the limit`,
        );
      }
      address = clusterAddress(this.#clusterAddresses.size);
      this.#clusterAddresses.set(key, address);
    }
    return { ...service, spec: { ...service.spec, clusterIP: address, clusterIPs: [address] } };
  }

  async #deploy(deployment: KubernetesObject): Promise<void> {
    const wanted = podsOf(deployment);
    const names = new Set(wanted.map((pod) => pod.metadata.name));
    const namespace = deployment.metadata.namespace ?? "default";
    // New first, then the old ones go: as a rolling update would.
    await Promise.all(
      wanted
        .filter((pod) => !this.running.has(`${namespace}/${pod.metadata.name}`))
        .map((pod) => this.#startPod(pod)),
    );
    await this.#stopPods(
      (pod) => ownerOf(pod.object) === deployment.metadata.name && !names.has(pod.name),
      namespace,
    );
  }

  async #startPod(object: KubernetesObject): Promise<void> {
    const namespace = object.metadata.namespace ?? "default";
    const name = `${namespace}/${object.metadata.name}`;
    if (this.running.has(name)) return;
    if (this.#nextPod >= podsMax) {
      throw new LocalError(
        "not_possible_here",
        `Cannot start pod "${name}": ${podsMax} is the limit`,
      );
    }
    const { store } = this.#options;
    const stored = store.put({ ...this.#admit(object, namespace), status: { phase: "Pending" } });
    const index = this.#nextPod;
    this.#nextPod += 1;
    const pod = new RunningPod(stored, index, {
      ...this.#options,
      onStatus: (changed) => this.#status(changed),
    });
    this.running.set(name, pod);
    await pod.start();
  }

  /** As the API server would call the webhook. */
  #admit(object: KubernetesObject, namespace: string): KubernetesObject {
    const { store, rootFingerprints, log } = this.#options;
    const labels = store.get(keyFor("Namespace", "", namespace))?.metadata.labels ?? {};
    const pod = readPod(object);
    const config = { ...injectorDefaults, rootFingerprints };
    const decision = decide({ pod, namespace, namespaceLabels: labels, config });
    switch (decision.kind) {
      case "inject":
        return applyPatch<KubernetesObject>(object, buildPatch(pod, decision.options, config));
      case "skip":
        log.debug("pod not injected", { pod: object.metadata.name, reason: decision.reason });
        return object;
      case "refuse":
        throw new LocalError("object_invalid", decision.message, { next: decision.next });
      default:
        return decision satisfies never;
    }
  }

  async #stopPods(test: (pod: RunningPod) => boolean, namespace: string): Promise<void> {
    const leaving = [...this.running].filter(([, pod]) => pod.namespace === namespace && test(pod));
    await Promise.all(
      leaving.map(async ([name, pod]) => {
        this.running.delete(name);
        // Out of the endpoints first, so that nobody is sent there while it drains.
        this.#options.store.delete(keyOf(pod.object));
        this.#endpoints();
        await pod.stop();
      }),
    );
  }

  #status(pod: RunningPod): void {
    const { store, log } = this.#options;
    const { name, namespace, phase, ready, reason } = pod;
    log.info("pod status", { pod: `${namespace}/${name}`, phase, ready, reason });
    const current = store.get(keyOf(pod.object));
    if (current === undefined || !this.running.has(`${pod.namespace}/${pod.name}`)) return;
    store.put({
      ...current,
      status: {
        phase: pod.phase,
        podIP: pod.address,
        podIPs: [{ ip: pod.address }],
        hostIP: "10.77.0.1",
        conditions: [{ type: "Ready", status: pod.ready ? "True" : "False" }],
        ...(pod.reason === "" ? {} : { message: pod.reason }),
      },
    });
    this.#endpoints();
  }

  #members(service: KubernetesObject): KubernetesObject[] {
    const selector = service.spec?.["selector"] as Labels | undefined;
    return this.#options.store
      .list("Pod")
      .filter(
        (pod) =>
          pod.metadata.namespace === service.metadata.namespace &&
          selects(selector, pod.metadata.labels),
      );
  }

  /** Endpoint slices and node rules follow from Services and pods. */
  #endpoints(): void {
    const { store, log } = this.#options;
    const pods = store.list("Pod");
    const rules: ServiceBackend[] = [];
    for (const service of store.list("Service")) {
      store.put(endpointSliceOf(service, pods));
      const address = service.spec?.["clusterIP"] as string;
      if (address === "None") continue;
      const ready = this.#members(service).filter(isReady);
      for (const port of servicePorts(service)) {
        const backends = ready.flatMap((pod) => {
          const { podIP } = statusOf(pod);
          const target = targetPortOf(port, pod);
          return podIP === undefined || target === null ? [] : [{ address: podIP, port: target }];
        });
        const name = `${service.metadata.namespace}/${service.metadata.name}`;
        rules.push({ service: name, address, port: port.port, backends });
      }
    }
    const text = JSON.stringify(rules);
    if (text === this.#rules) return;
    this.#rules = text;
    this.#applying = this.#applying
      .then(() => applyServiceRules(rules))
      .catch((error: unknown) =>
        log.error("service rules not applied", { reason: messageOf(error) }),
      );
  }
}

function ownerOf(pod: KubernetesObject): string {
  const owners = pod.metadata["ownerReferences"] as readonly { name: string }[] | undefined;
  return owners?.[0]?.name ?? "";
}
