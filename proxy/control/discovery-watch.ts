// Keeps the discovery stream open: hello with what is held, apply each update whole, ACK; or NACK with
// the reason and keep the last good. The stream moves to a connection with the newest certificate
// before the old one ends, new first, so there is no gap; while the controller is away the last
// snapshot stays in force.
import type { Hello, Update } from "#/api/discovery.ts";
import { DiscoveryError } from "#/api/discovery.ts";
import type { ControllerConnection, Subscription } from "#/api/rpc.ts";
import { applyUpdate, emptySnapshot, heldResources } from "#/api/snapshot.ts";
import type { Snapshot } from "#/api/snapshot.ts";
import type { Svid } from "#/identity/svid.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";

const reconnectBackoff = { baseMs: 200, maxMs: 5_000 };

export interface DiscoveryWatchOptions {
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** Each new value moves the stream; null: none can be opened. */
  readonly svid: Watch<Svid | null>;
  /** Made anew for each stream. */
  readonly connect: (svid: Svid) => ControllerConnection;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

interface OpenStream {
  readonly connection: ControllerConnection;
  subscription: Subscription | null;
  /** Has brought an update: it works, and the one before it may go. */
  live: boolean;
}

export class DiscoveryWatch {
  readonly snapshot: Watch<Snapshot> = new Watch<Snapshot>(emptySnapshot);
  readonly connected: Watch<boolean> = new Watch(false);
  readonly #options: DiscoveryWatchOptions;
  #current: OpenStream | null = null;
  #previous: OpenStream | null = null;
  #failures = 0;
  #cancelRetry: () => void = () => {};
  #stopped = false;
  readonly #stopListening: () => void;

  constructor(options: DiscoveryWatchOptions) {
    this.#options = options;
    this.#stopListening = options.svid.onChange(() => this.#open());
    this.#open();
  }

  stop(): void {
    this.#stopped = true;
    this.#stopListening();
    this.#cancelRetry();
    this.#close(this.#previous);
    this.#close(this.#current);
    this.#current = null;
    this.#previous = null;
  }

  #open(): void {
    const svid = this.#options.svid.get();
    if (this.#stopped || svid === null) return;
    this.#cancelRetry();
    const connection = this.#options.connect(svid);
    const stream: OpenStream = { connection, subscription: null, live: false };
    // The one that works stays until the new one has spoken; one that never spoke goes at once.
    if (this.#current?.live === true) {
      this.#close(this.#previous);
      this.#previous = this.#current;
    } else this.#close(this.#current);
    this.#current = stream;
    stream.subscription = connection.subscribe(this.#hello(), {
      onUpdate: (update) => this.#update(stream, update),
      onUnreadable: (error) => {
        this.#options.log.warn("discovery update unreadable", { reason: error.message });
      },
      onEnd: (error) => this.#ended(stream, error),
    });
  }

  #hello(): Hello {
    const { namespace, name, uid } = this.#options.pod;
    return {
      podNamespace: namespace,
      podName: name,
      podUid: uid,
      held: heldResources(this.snapshot.get()),
    };
  }

  #update(stream: OpenStream, update: Update): void {
    if (stream !== this.#current) return;
    if (!stream.live) {
      stream.live = true;
      this.#failures = 0;
      this.#close(this.#previous);
      this.#previous = null;
      if (!this.connected.get()) this.connected.set(true);
    }
    let next: Snapshot;
    try {
      next = applyUpdate(this.snapshot.get(), update);
    } catch (error) {
      if (!(error instanceof DiscoveryError)) throw error;
      this.#options.log.warn("discovery update refused", { reason: error.message });
      stream.subscription?.nack(update.sequence, error.message);
      return;
    }
    this.snapshot.set(next);
    stream.subscription?.ack(update.sequence);
  }

  #ended(stream: OpenStream, error: unknown): void {
    stream.connection.close();
    if (stream === this.#previous) {
      this.#previous = null;
      return;
    }
    if (stream !== this.#current || this.#stopped) return;
    this.#current = null;
    if (this.connected.get()) this.connected.set(false);
    const { clock, random, log } = this.#options;
    const delayMs = backoffDelayMs(reconnectBackoff, this.#failures, random());
    this.#failures += 1;
    log.info("discovery stream ended", { reason: messageOf(error), retry_ms: delayMs });
    this.#cancelRetry = clock.after(delayMs, () => this.#open());
  }

  #close(stream: OpenStream | null): void {
    stream?.subscription?.close();
    stream?.connection.close();
  }
}
