// Who of several replicas does what only one may do. A Lease is held for 15 s and renewed each 5 s;
// whether another's has ended is judged by how long it did not change before our own eyes, never by
// comparing clocks. The holder stops being it in its own view before others may take over.
import { sleep } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import { KubernetesError } from "./kubernetes-error.ts";
import type { KubernetesParts } from "./reflector.ts";

export interface LeaseOptions extends KubernetesParts {
  readonly namespace: string;
  readonly name: string;
  /** Unlike that of any other replica, also of one that had our name before. */
  readonly identity: string;
  readonly log: Log;
}

export interface Lease extends AsyncDisposable {
  /** Whether we are the holder, by our own clock. */
  readonly isHeld: Watch<boolean>;
}

const leaseMs = 15_000;
const renewMs = 5_000;
/** Of a renewal that succeeded, counted from before it was sent. */
const heldMsMax = 10_000;
const callMs = 4_000;

/** Takes part until disposed of; then gives the lease back, so that the next one need not wait. */
export function joinLease(options: LeaseOptions): Lease {
  return new Member(options);
}

interface Seen {
  readonly holder: string;
  readonly version: string;
  readonly transitions: number;
  readonly acquiredAt: string;
  /** When this version was first seen, monotonic. */
  readonly since: number;
}

class Member implements Lease {
  readonly isHeld: Watch<boolean> = new Watch<boolean>(false);
  readonly #options: LeaseOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #seen: Seen | null = null;
  #cancelEnd: () => void = () => {};

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
    const wasHeld = this.isHeld.get();
    this.#lose("given back");
    if (!wasHeld || this.#seen === null) return;
    const { log } = this.#options;
    await this.#write(this.#seen, "").catch((thrown: unknown) =>
      log.warn("lease not given back", { reason: messageOf(thrown) }),
    );
  }

  async #run(): Promise<void> {
    const { clock, random, log } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#turn();
      } catch (thrown) {
        const code = thrown instanceof KubernetesError ? thrown.code : "unreadable";
        if (code !== "conflict") log.warn("lease not reached", { reason: messageOf(thrown) });
      }
      await sleep(clock, this.isHeld.get() ? renewMs : renewMs * (0.4 + 0.2 * random()), signal);
    }
  }

  async #turn(): Promise<void> {
    const { clock, identity } = this.#options;
    const at = clock.monotonic();
    const seen = await this.#read(at);
    if (seen !== null && seen.holder !== identity) this.#lose(`held by ${seen.holder}`);
    if (!mayTake(seen, identity, clock.monotonic())) return;
    const writtenAt = clock.monotonic();
    await this.#write(seen, identity);
    this.#hold(writtenAt);
  }

  async #read(now: number): Promise<Seen | null> {
    let value: unknown;
    try {
      value = await this.#call("GET", this.#path());
    } catch (thrown) {
      if (thrown instanceof KubernetesError && thrown.code === "not_found") return null;
      throw thrown;
    }
    const lease = value as LeaseObject;
    const version = lease.metadata?.resourceVersion ?? "";
    if (this.#seen?.version === version) return this.#seen;
    this.#seen = seenOf(lease, now);
    return this.#seen;
  }

  async #write(seen: Seen | null, holder: string): Promise<void> {
    const { clock, namespace, name, identity } = this.#options;
    const now = microTime(clock.now());
    const isNew = seen?.holder !== identity;
    const body = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { namespace, name, ...(seen === null ? {} : { resourceVersion: seen.version }) },
      spec: {
        holderIdentity: holder,
        leaseDurationSeconds: leaseMs / 1000,
        renewTime: now,
        acquireTime: isNew ? now : seen.acquiredAt,
        leaseTransitions: (seen?.transitions ?? 0) + (isNew && seen !== null ? 1 : 0),
      },
    };
    const written =
      seen === null
        ? await this.#call("POST", this.#collection(), body)
        : await this.#call("PUT", this.#path(), body);
    this.#seen = seenOf(written as LeaseObject, clock.monotonic());
  }

  #hold(from: number): void {
    const { clock, log } = this.#options;
    this.#cancelEnd();
    this.#cancelEnd = clock.after(from + heldMsMax - clock.monotonic(), () =>
      this.#lose("not renewed in time"),
    );
    if (this.isHeld.get()) return;
    log.info("lease taken", { lease: this.#options.name });
    this.isHeld.set(true);
  }

  #lose(reason: string): void {
    this.#cancelEnd();
    if (!this.isHeld.get()) return;
    this.#options.log.info("lease lost", { lease: this.#options.name, reason });
    this.isHeld.set(false);
  }

  #call(method: "GET" | "POST" | "PUT", path: string, body?: unknown): Promise<unknown> {
    return this.#options.client.call({ method, path, body, timeoutMs: callMs });
  }

  #collection(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`;
  }

  #path(): string {
    return `${this.#collection()}/${this.#options.name}`;
  }
}

/** Ours, nobody's, never made, or not renewed for as long as it was given. */
export function mayTake(
  seen: { readonly holder: string; readonly since: number } | null,
  identity: string,
  now: number,
): boolean {
  if (seen === null || seen.holder === identity || seen.holder === "") return true;
  return now - seen.since >= leaseMs;
}

interface LeaseObject {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseTransitions?: number | null;
    readonly acquireTime?: string | null;
  };
}

function seenOf({ metadata, spec }: LeaseObject, since: number): Seen {
  return {
    holder: spec?.holderIdentity ?? "",
    version: metadata?.resourceVersion ?? "",
    transitions: spec?.leaseTransitions ?? 0,
    acquiredAt: spec?.acquireTime ?? noTime,
    since,
  };
}

const noTime = "1970-01-01T00:00:00.000000Z";

/** As Kubernetes writes MicroTime. */
function microTime(now: number): string {
  return new Date(now).toISOString().replace("Z", "000Z");
}
