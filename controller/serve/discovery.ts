// Discovery: one stream for each sidecar, judged before anything is told and again whenever its pod
// changes. What a stream has and needs is pending.ts; here is who may subscribe, and when to send.
import type { Hello, ResourceKey, SubscriberMessage } from "#/api/discovery.ts";
import { keyOf } from "#/api/discovery.ts";
import type { PolicyResource, Resource } from "#/api/discovery.ts";
import { RpcError } from "#/api/rpc-error.ts";
import type { SubscriberHandlers, SubscriberStream } from "#/api/rpc.ts";
import type { PodRecord } from "#/cluster/events.ts";
import { workloadId } from "#/identity/spiffe-id.ts";
import type { Clock } from "#/lib/clock.ts";
import { normalizeIp } from "#/lib/ip.ts";
import type { Log } from "#/lib/log.ts";
import type { Delta, Mesh } from "../index/mesh.ts";
import { isLive } from "../index/workloads.ts";
import type { ControllerMetrics } from "../metrics.ts";
import { Pending } from "./pending.ts";

/** A stream that does not say who it is, or does not answer an update, is of no use. */
const helloMs = 10_000;
const answerMs = 30_000;
/** A sidecar whose identity was suspended has so long to hear of it; then it hears nothing more. */
const farewellMs = 1_000;
/** One that ends, one that takes over, and one spare. The oldest gives way. */
export const streamsPerPodMax = 3;

export interface DiscoveryOptions {
  readonly mesh: Mesh;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: ControllerMetrics;
}

/** A subscriber as the read API shows it. */
export interface SubscriberView {
  readonly pod: string;
  readonly identity: string;
  readonly address: string;
  readonly podUid: string;
  readonly serial: string | null;
  /** SHA-256 of each authority that its certificate hangs from. */
  readonly authorities: readonly string[];
  /** Version of the trust bundle that it works with; null before it has all that there is. */
  readonly bundle: string | null;
  /** Milliseconds since the Unix epoch. */
  readonly since: number;
  readonly synced: boolean;
  readonly resources: number;
  readonly refused: readonly string[];
  readonly lastRefusal: string | null;
}

export class DiscoveryHub {
  readonly options: DiscoveryOptions;
  readonly #byPod = new Map<string, Set<Subscriber>>();

  constructor(options: DiscoveryOptions) {
    this.options = options;
    options.metrics.subscribers.onCollect(() => {
      options.metrics.subscribers.with().set(this.views().length);
    });
  }

  subscribe(stream: SubscriberStream): SubscriberHandlers {
    if (!this.options.mesh.isCompiled) {
      throw new RpcError("unavailable", "Cannot serve: the world is not listed yet");
    }
    return new Subscriber(this, stream);
  }

  /** Tells every subscriber what concerns it. */
  publish(delta: Delta): void {
    for (const [pod, subscribers] of this.#byPod) {
      const isPodChanged = delta.pods.has(pod);
      for (const subscriber of subscribers) {
        if (isPodChanged && !subscriber.judgeAgain()) continue;
        for (const key of delta.changed) subscriber.mark(key);
        if (isPodChanged || concernsPolicy(delta, subscriber.namespace)) subscriber.markPolicy();
        subscriber.pump();
        subscriber.leaveIfSuspended();
      }
    }
  }

  /** Pods ("namespace/name") whose sidecar has acknowledged the present version of `key`. */
  holders(key: ResourceKey): readonly string[] {
    return this.#byPod
      .entries()
      .filter(([, subscribers]) => subscribers.values().some((each) => each.has(key)))
      .map(([pod]) => pod)
      .toArray()
      .sort();
  }

  views(): readonly SubscriberView[] {
    return this.#byPod
      .values()
      .flatMap((subscribers) => subscribers.values())
      .map((subscriber) => subscriber.view())
      .toArray();
  }

  add(subscriber: Subscriber): void {
    const there = this.#byPod.get(subscriber.podKey) ?? new Set();
    this.#byPod.set(subscriber.podKey, there);
    const [oldest] = there;
    there.add(subscriber);
    if (there.size <= streamsPerPodMax) return;
    oldest?.end(
      new RpcError("resource_exhausted", "Cannot serve: newer streams of this pod exist"),
    );
  }

  remove(subscriber: Subscriber): void {
    const there = this.#byPod.get(subscriber.podKey);
    there?.delete(subscriber);
    if (there?.size === 0) this.#byPod.delete(subscriber.podKey);
  }
}

function concernsPolicy({ policyNamespaces }: Delta, namespace: string): boolean {
  return policyNamespaces === "all" || policyNamespaces.has(namespace);
}

const policyKey: ResourceKey = { kind: "serverPolicy", name: "" };
export const suspensionsKey: ResourceKey = { kind: "suspensions", name: "" };
const bundleKey: ResourceKey = { kind: "trustBundle", name: "" };

class Subscriber implements SubscriberHandlers {
  readonly #hub: DiscoveryHub;
  readonly #stream: SubscriberStream;
  readonly #since: number;
  #hello: Hello | null = null;
  #pending: Pending | null = null;
  #policy: PolicyResource | null = null;
  #cancelTimer: () => void;
  #cancelFarewell: () => void = () => {};
  #sentAt = 0;
  #lastRefusal: string | null = null;

  constructor(hub: DiscoveryHub, stream: SubscriberStream) {
    this.#hub = hub;
    this.#stream = stream;
    const { clock } = hub.options;
    this.#since = clock.now();
    this.#cancelTimer = clock.after(helloMs, () => {
      this.end(new RpcError("deadline_exceeded", "Cannot serve: no hello came in time"));
    });
  }

  get podKey(): string {
    return `${this.#hello?.podNamespace}/${this.#hello?.podName}`;
  }

  get namespace(): string {
    return this.#hello?.podNamespace ?? "";
  }

  onMessage(message: SubscriberMessage): void {
    switch (message.kind) {
      case "hello":
        return this.#onHello(message);
      case "ack":
        return this.#onAck(message.sequence);
      case "nack":
        return this.#onNack(message.sequence, message.reason);
      default:
        return message satisfies never;
    }
  }

  onEnd(): void {
    this.#cancelTimer();
    this.#cancelFarewell();
    if (this.#pending !== null) this.#hub.remove(this);
    this.#pending = null;
  }

  end(error: RpcError): void {
    this.#stream.end(error);
  }

  mark(key: ResourceKey): void {
    this.#pending?.mark(key);
  }

  markPolicy(): void {
    this.#policy = null;
    this.mark(policyKey);
  }

  /** The pod changed: an authorisation is a lease. False when the stream was ended. */
  judgeAgain(): boolean {
    if (this.#hello === null) return true;
    try {
      this.#judge(this.#hello);
      return true;
    } catch (thrown) {
      if (!(thrown instanceof RpcError)) throw thrown;
      this.end(thrown);
      return false;
    }
  }

  /** Whether it has acknowledged the present version of a resource. */
  has(key: ResourceKey): boolean {
    const present = this.#lookup(key);
    return present !== "awaited" && this.#pending?.versionOf(key) === present?.version;
  }

  /** Its own sidecar is told first, so that it closes what it has open: then nobody tells it anything. */
  leaveIfSuspended(): void {
    const { mesh, clock } = this.#hub.options;
    const { identity } = this.#stream;
    this.#cancelFarewell();
    if (this.#pending === null || !mesh.suspensions.has(identity)) return;
    const leave = (): void => this.end(suspended(identity));
    if (this.has(suspensionsKey)) leave();
    else this.#cancelFarewell = clock.after(farewellMs, leave);
  }

  /** Sends the next update if none is in flight. */
  pump(): void {
    const update = this.#pending?.next() ?? null;
    if (update === null) return;
    const { clock, metrics } = this.#hub.options;
    metrics.updates.with("sent").add();
    this.#sentAt = clock.monotonic();
    this.#cancelTimer();
    this.#cancelTimer = clock.after(answerMs, () => {
      this.end(new RpcError("deadline_exceeded", "Cannot serve: an update was not answered"));
    });
    this.#stream.send(update);
  }

  view(): SubscriberView {
    const { identity, peer } = this.#stream;
    return {
      pod: this.podKey,
      identity,
      address: normalizeIp(peer.address),
      podUid: this.#hello?.podUid ?? "",
      serial: peer.serial,
      authorities: peer.authorities,
      bundle: this.#pending?.versionOf(bundleKey) ?? null,
      since: this.#since,
      synced: this.#pending?.isSynced ?? false,
      resources: this.#pending?.heldCount ?? 0,
      refused: this.#pending?.refusedKeys ?? [],
      lastRefusal: this.#lastRefusal,
    };
  }

  #onHello(hello: Hello): void {
    if (this.#hello !== null) throw new RpcError("invalid_argument", "Cannot serve: second hello");
    this.#judge(hello);
    this.#cancelTimer();
    this.#hello = hello;
    const { mesh, log } = this.#hub.options;
    const pending = new Pending((key) => this.#lookup(key), hello.held);
    for (const { kind, name } of mesh.resources.values()) pending.mark({ kind, name });
    pending.mark(policyKey);
    this.#pending = pending;
    this.#hub.add(this);
    log.info("subscribed", {
      pod: this.podKey,
      "src.identity": this.#stream.identity,
      held: hello.held.length,
    });
    this.pump();
  }

  /** Each refusal on its own line, in the order in which an attacker meets them. */
  #judge(hello: Hello): void {
    const { mesh } = this.#hub.options;
    const { identity, peer } = this.#stream;
    if (mesh.suspensions.has(identity)) throw suspended(identity);
    const name = `${hello.podNamespace}/${hello.podName}`;
    const pod = mesh.workloads.get(name);
    if (pod === undefined) throw denied(`pod "${name}" is not known`);
    if (!isLive(pod)) throw denied(`pod "${name}" has ended`);
    if (pod.meta.uid !== hello.podUid) throw denied(`pod "${name}" has another UID`);
    const expected = workloadId(mesh.trustDomain, pod.meta.namespace, pod.serviceAccount);
    if (identity !== expected) throw denied(`pod "${name}" is "${expected}", caller "${identity}"`);
    const address = normalizeIp(peer.address);
    if (!pod.addresses.includes(address)) throw denied(`pod "${name}" is not at "${address}"`);
  }

  #lookup(key: ResourceKey): Resource | "awaited" | undefined {
    const { mesh } = this.#hub.options;
    if (key.kind !== "serverPolicy") return mesh.resource(key);
    const pod: PodRecord | undefined = mesh.workloads.get(this.podKey);
    if (pod !== undefined) this.#policy ??= mesh.policyOf(pod);
    return this.#policy ?? undefined;
  }

  #onAck(sequence: number): void {
    const answer = this.#answered().ack(sequence);
    if (answer.kind === "unexpected") throw unexpected(sequence);
    const { metrics, clock } = this.#hub.options;
    metrics.updates.with("applied").add();
    metrics.acknowledgeSeconds.with().observe((clock.monotonic() - this.#sentAt) / 1000);
    this.#cancelTimer();
    this.pump();
    this.leaveIfSuspended();
  }

  #onNack(sequence: number, reason: string): void {
    const answer = this.#answered().nack(sequence);
    if (answer.kind === "unexpected") throw unexpected(sequence);
    const { metrics, log } = this.#hub.options;
    this.#lastRefusal = reason;
    this.#cancelTimer();
    metrics.updates.with("refused").add();
    if (answer.kind === "refused") metrics.refusedUpdates.with(answer.key?.kind ?? "none").add();
    log.warn("update refused", {
      pod: this.podKey,
      verdict: answer.kind,
      resource: answer.kind === "refused" && answer.key !== null ? keyOf(answer.key) : undefined,
      reason,
    });
    // A refused update without entries would only be refused again.
    if (answer.kind !== "refused" || answer.key !== null) this.pump();
  }

  #answered(): Pending {
    if (this.#pending === null)
      throw new RpcError("invalid_argument", "Cannot serve: no hello yet");
    return this.#pending;
  }
}

function denied(state: string): RpcError {
  return new RpcError("permission_denied", `Cannot subscribe: ${state}`);
}

function suspended(identity: string): RpcError {
  return denied(`"${identity}" is suspended`);
}

function unexpected(sequence: number): RpcError {
  return new RpcError("invalid_argument", `Cannot serve: ${sequence} is not in flight`);
}
