// Keeps a rotation going: this controller's reading for the others, and, in the one that drives, the next
// step as soon as nobody lags. Everything that counts is in the store; what is remembered here only says
// more to people.
import { makeNext } from "#/ca/mesh-authorities.ts";
import { CaError } from "#/ca/ca-error.ts";
import { acceptPending, makePending } from "#/ca/rotation/offline.ts";
import type { AuthorityRecord } from "#/ca/rotation/record.ts";
import { stage } from "#/ca/rotation/rotation.ts";
import { hangsFrom } from "#/ca/issuer.ts";
import type { Ledger } from "#/ca/ledger/ledger.ts";
import type { PodRecord } from "#/cluster/events.ts";
import { keyOfMeta } from "#/cluster/events.ts";
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import type { Watch } from "#/lib/watch.ts";
import type { AuthorityStore, Stored } from "../custody.ts";
import type { Mesh } from "../index/mesh.ts";
import { controllerAccount, meshNamespace } from "../index/policies.ts";
import { isInjected, isLive } from "../index/workloads.ts";
import type { DiscoveryHub } from "../serve/discovery.ts";
import type { Trust, TrustKeeper } from "../trust.ts";
import { decide } from "./decide.ts";
import type { Plan, Refusal } from "./decide.ts";
import { laggards } from "./laggards.ts";
import type { Laggard, LivePod, LivePods } from "./laggards.ts";
import type { HolderReading, ProxyReading, Reading } from "./reading.ts";
import { proxiesPerReadingMax, stepOf } from "./reading.ts";

/** How the controllers of a mesh hear of one another's readings. */
export interface ReadingExchange {
  /** Ours, for the others; null: none any more. */
  put(reading: Reading | null): void;
  others(): readonly Reading[];
}

export interface RotationDriverOptions {
  readonly store: AuthorityStore;
  readonly trust: Watch<Trust>;
  readonly keeper: Pick<TrustKeeper, "taken">;
  readonly ledger: Pick<Ledger, "query">;
  readonly hub: Pick<DiscoveryHub, "views">;
  readonly mesh: Mesh;
  readonly exchange: ReadingExchange;
  /** How long a root is published before anybody issues under it, ms; 0: nobody outside follows it. */
  readonly publishMs: () => number;
  /** One of the controllers drives. */
  readonly isDriver: Watch<boolean>;
  /** This controller's pod. */
  readonly pod: { readonly name: string; readonly uid: string };
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Unpredictable. */
  readonly randomBytes: (length: number) => Uint8Array;
  readonly log: Log;
}

const lookMs = 250;
/** After a write that failed: whoever was faster is heard of soon. */
const againMs = 2_000;

/** What people are told of it. */
export interface RotationView {
  readonly isDriver: boolean;
  /** Of the driver's view: who is waited for. */
  readonly waiting: readonly Laggard[];
  readonly refusal: Refusal | null;
  /** Why it does not go on, though nobody lags; empty: it does. */
  readonly fault: string;
}

export class RotationDriver implements AsyncDisposable {
  readonly #options: RotationDriverOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  /** Pod and UID -> when it was last seen connected. */
  readonly #lastSeen = new Map<string, number>();
  #waiting: readonly Laggard[] = [];
  #refusal: Refusal | null = null;
  /** What was looked at and could not be installed. */
  #refused: Refusal | null = null;
  #fault = "";
  #told = "";

  constructor(options: RotationDriverOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  view(): RotationView {
    const isDriver = this.#options.isDriver.get();
    const fault = isDriver ? this.#fault : "";
    return { isDriver, waiting: this.#waiting, refusal: this.#refusal, fault };
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let delayMs = lookMs;
      try {
        await this.#look();
        this.#fault = "";
      } catch (thrown) {
        this.#fault = messageOf(thrown);
        log.warn("rotation does not go on", { reason: this.#fault });
        delayMs = againMs;
      }
      await sleep(clock, delayMs, signal);
    }
  }

  async #look(): Promise<void> {
    const { store, isDriver, exchange, keeper } = this.#options;
    const own = this.#reading(keeper.taken.get());
    exchange.put(own);
    this.#waiting = [];
    this.#refusal = null;
    if (!isDriver.get()) return;
    const stored = store.stored.get();
    const readings = own === null ? exchange.others() : [own, ...exchange.others()];
    const { plan, refusal } = this.#decide(stored, readings);
    this.#refusal = refusal;
    this.#tell(plan, stored.record, refusal);
    await this.#do(plan, stored);
  }

  #decide(stored: Stored, readings: readonly Reading[]): ReturnType<typeof decide> {
    const { store, trust, clock } = this.#options;
    const { record } = stored;
    const request = store.request.get();
    const now = clock.now();
    if (store.readOnly !== null) {
      const isNew = request !== null && request.id !== record.handled;
      const message = `Cannot rotate: ${store.readOnly}`;
      const next = 'SECURITY.md says how, under "Replacing it"';
      return { plan: { kind: "rest" }, refusal: isNew ? { id: request.id, message, next } : null };
    }
    const { notBefore, notAfter } = trust.get();
    const intermediate = { notBefore, notAfter };
    const waiting = (): readonly Laggard[] =>
      record.rotation === null ? [] : laggards(record.rotation, this.#world(), readings, now);
    const publishMs = this.#options.publishMs();
    return decide({ record, request, intermediate, waiting, publishMs, now });
  }

  async #do(plan: Plan, stored: Stored): Promise<void> {
    const { store, mesh, clock, log } = this.#options;
    const { record } = stored;
    switch (plan.kind) {
      case "rest":
        return;
      case "hold":
        this.#waiting = plan.waiting;
        return;
      case "begin": {
        const { of, id, handled } = plan;
        const now = clock.now();
        const made = await makeNext(record, of, mesh.trustDomain, now);
        await store.write({ ...stage(record, of, made, id, now), handled }, stored);
        log.warn("rotation begun", { rotation: id, of });
        return;
      }
      case "request":
        await store.write({ ...record, pending: makePending(), handled: plan.handled }, stored);
        log.info("a key waits for its certificate", { request: plan.handled });
        return;
      case "install":
        return this.#install(plan, stored);
      case "write": {
        await store.write(plan.record, stored);
        const { rotation, last } = plan.record;
        if (rotation === null) log.warn("rotation ended", { rotation: last?.id, end: last?.end });
        else log.warn("rotation goes on", { rotation: rotation.id, step: rotation.step });
        return;
      }
      default:
        return plan satisfies never;
    }
  }

  /** What cannot be installed is refused, and looked at once. */
  async #install(plan: Plan & { readonly kind: "install" }, stored: Stored): Promise<void> {
    const { store, mesh, clock, random, randomBytes, log } = this.#options;
    const { id, certificate } = plan;
    if (this.#refused?.id === id) {
      this.#refusal = this.#refused;
      return;
    }
    const { trustDomain } = mesh;
    const { record } = stored;
    try {
      const parts = { trustDomain, clock, random, randomBytes, log };
      const made = await acceptPending(record, certificate, parts);
      const staged = stage(record, "intermediate", made, id, clock.now());
      await store.write({ ...staged, pending: null, handled: id }, stored);
      log.warn("rotation begun", { rotation: id, of: "intermediate" });
    } catch (thrown) {
      if (!(thrown instanceof CaError)) throw thrown;
      this.#refused = { id, message: thrown.message, next: thrown.next };
      this.#refusal = this.#refused;
      log.warn("rotation refused", { reason: thrown.message });
    }
  }

  /** Each new thing once. */
  #tell(plan: Plan, { rotation }: AuthorityRecord, refusal: Refusal | null): void {
    const { log } = this.#options;
    const names = plan.kind === "hold" ? plan.waiting.map(({ name }) => name) : [];
    const text = `${rotation?.id} ${rotation?.step} ${names.slice(0, 10).join()} ${refusal?.id}`;
    if (text === this.#told) return;
    this.#told = text;
    if (names.length > 0) {
      const waiting = names.slice(0, 10).join(", ");
      log.info("rotation waits", { rotation: rotation?.id, step: rotation?.step, waiting });
    }
    if (refusal !== null) log.warn("rotation refused", { reason: refusal.message });
  }

  /** What we see, as long as there is something to be seen of. */
  #reading({ record: { rotation } }: Stored): Reading | null {
    if (rotation === null) return null;
    const { trust, hub, pod } = this.#options;
    const { bundleVersion, authority } = trust.get();
    const proxies = hub.views().map((view): ProxyReading => ({
      pod: view.pod,
      uid: view.podUid,
      hasBundle: view.bundle === bundleVersion,
      hasLeaf: view.authorities.includes(authority),
      since: view.since,
      bundle: view.bundle,
    }));
    return {
      controller: pod.name,
      uid: pod.uid,
      step: stepOf(rotation),
      proxies: proxies.slice(0, proxiesPerReadingMax),
      holders: this.#holders(),
    };
  }

  #holders(): readonly HolderReading[] {
    const { ledger, trust } = this.#options;
    const { authority } = trust.get();
    return this.#components().flatMap(({ meta }) => {
      const { namespace, name, uid } = meta;
      const [newest] = ledger.query({ namespace, pod: name, limit: 1 });
      if (newest === undefined || newest.podUid !== uid) return [];
      const { issuedAt, notAfter, certificate } = newest;
      const hasLeaf = hangsFrom(certificate, authority);
      return [{ pod: keyOfMeta(meta), uid, hasLeaf, issuedAt, notAfter }];
    });
  }

  /** The mesh's own pods without a sidecar. */
  #components(): readonly PodRecord[] {
    const { workloads } = this.#options.mesh;
    return [...workloads.keysIn(meshNamespace)].flatMap((key) => {
      const pod = workloads.get(key);
      const isOne = pod !== undefined && isLive(pod) && !isInjected(pod) && !isController(pod);
      return isOne ? [pod] : [];
    });
  }

  #world(): LivePods | null {
    const { mesh, hub, pod: own, clock, exchange } = this.#options;
    const { workloads } = mesh;
    if (!mesh.isCurrent) return null;
    const seen = [...hub.views(), ...exchange.others().flatMap(({ proxies }) => proxies)];
    for (const view of seen) this.#lastSeen.set(view.pod, clock.now());
    const proxies: LivePod[] = [];
    const controllers = new Map([[own.name, own.uid]]);
    for (const key of workloads.keys()) {
      const pod = workloads.get(key)!;
      // What does not run yet begins with what is stored and published then.
      if (pod.phase !== "Running") continue;
      if (isController(pod)) controllers.set(pod.meta.name, pod.meta.uid);
      else if (isInjected(pod)) proxies.push(this.#livePod(pod));
    }
    for (const key of this.#lastSeen.keys()) {
      if (workloads.get(key) === undefined) this.#lastSeen.delete(key);
    }
    return {
      proxies,
      controllers: [...controllers].map(([name, uid]) => ({ name, uid })),
      components: this.#components().map((pod) => this.#livePod(pod)),
    };
  }

  #livePod({ meta }: PodRecord): LivePod {
    const pod = keyOfMeta(meta);
    const made = meta.createdAt === 0 ? null : meta.createdAt;
    return { pod, uid: meta.uid, lastSeen: this.#lastSeen.get(pod) ?? made };
  }
}

function isController({ meta, serviceAccount }: PodRecord): boolean {
  return meta.namespace === meshNamespace && serviceAccount === controllerAccount;
}
