// Keeps the discovery stream open: hello with what is held, apply each update whole, ACK; or NACK with
// the reason and keep the last good. While the controller is away the last snapshot stays in force.
//
// With each new certificate, and before the controller's own ends, the stream moves to a new connection, new
// first: the old stream serves on until the new one has told everything, then the snapshots are swapped whole.
// What a stream tells differs from what was held when it said hello, so each stream applies its updates to a
// snapshot of its own: two streams that overlap can neither mix nor turn anything back.
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

export const discoveryBackoff = { baseMs: 200, maxMs: 5_000 } as const;
/** From hello, or from the last update, to the next one while not everything has been told. */
export const silenceMaxMs = 15_000;

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
  /** Calls back once the snapshot that was just set holds wherever it has to; default: at once. */
  readonly settled?: (then: () => void) => void;
}

interface OpenStream {
  readonly connection: ControllerConnection;
  subscription: Subscription | null;
  /** What was held at hello, and what this stream has told since. */
  told: Snapshot;
  /** The last of `told` that was shown: at first what was held at hello. */
  shown: Snapshot;
  /** Monotonic ms when it had told everything; 0: not yet. */
  syncedAtMs: number;
  cancelSilence: () => void;
}

export class DiscoveryWatch {
  readonly snapshot: Watch<Snapshot> = new Watch<Snapshot>(emptySnapshot);
  /** A stream is open that has spoken. */
  readonly connected: Watch<boolean> = new Watch(false);
  readonly #options: DiscoveryWatchOptions;
  /** The one whose word counts. */
  #serving: OpenStream | null = null;
  /** The one that is about to take over. */
  #next: OpenStream | null = null;
  #failures = 0;
  #cancelRetry: () => void = () => {};
  #stopped = false;
  readonly #stopListening: () => void;

  constructor(options: DiscoveryWatchOptions) {
    this.#options = options;
    this.#stopListening = options.svid.onChange(() => this.#open());
    this.#open();
  }

  /** Closes everything. The last snapshot stays readable. */
  stop(): void {
    this.#stopped = true;
    this.#stopListening();
    this.#cancelRetry();
    close(this.#next);
    close(this.#serving);
    this.#next = null;
    this.#serve(null);
  }

  #open(): void {
    const svid = this.#options.svid.get();
    if (this.#stopped || svid === null) return;
    this.#cancelRetry();
    close(this.#next);
    this.#next = null;
    let connection: ControllerConnection;
    try {
      connection = this.#options.connect(svid);
    } catch (error) {
      this.#retry(error);
      return;
    }
    const held = this.snapshot.get();
    const stream: OpenStream = {
      connection,
      subscription: null,
      told: held,
      shown: held,
      syncedAtMs: 0,
      cancelSilence: () => {},
    };
    this.#next = stream;
    this.#watchSilence(stream);
    stream.subscription = connection.subscribe(this.#hello(held), {
      onUpdate: (update) => this.#update(stream, update),
      onUnreadable: (error) => {
        this.#options.log.warn("discovery update unreadable", { reason: error.message });
      },
      onEnding: () => {
        if (stream === this.#serving && this.#next === null) this.#open();
      },
      onEnd: (error) => this.#ended(stream, error),
    });
  }

  #hello(held: Snapshot): Hello {
    const { namespace, name, uid } = this.#options.pod;
    return { podNamespace: namespace, podName: name, podUid: uid, held: heldResources(held) };
  }

  /** A controller that accepts a stream and says nothing must not keep us from asking again. */
  #watchSilence(stream: OpenStream): void {
    stream.cancelSilence();
    stream.cancelSilence = this.#options.clock.after(silenceMaxMs, () => {
      this.#ended(stream, new Error(`no update in ${silenceMaxMs} ms`));
    });
  }

  #update(stream: OpenStream, update: Update): void {
    if (stream !== this.#serving && stream !== this.#next) return;
    if (stream.syncedAtMs === 0) this.#watchSilence(stream);
    try {
      stream.told = applyUpdate(stream.told, update);
    } catch (error) {
      if (!(error instanceof DiscoveryError)) throw error;
      this.#options.log.warn("discovery update refused", { reason: error.message });
      stream.subscription?.nack(update.sequence, error.message);
      return;
    }
    if (update.synced && stream.syncedAtMs === 0) {
      stream.syncedAtMs = this.#options.clock.monotonic();
      stream.cancelSilence();
    }
    this.#show(stream);
    const { settled = (then: () => void): void => then() } = this.#options;
    settled(() => stream.subscription?.ack(update.sequence));
  }

  /** Shows what the stream has told, unless that would turn back what another has told meanwhile. */
  #show(stream: OpenStream): void {
    const isSynced = stream.syncedAtMs !== 0;
    if (stream === this.#next && (this.#serving === null || isSynced)) {
      this.#next = null;
      close(this.#serving);
      this.#serve(stream);
    }
    if (stream !== this.#serving) return;
    if (!isSynced && this.snapshot.get() !== stream.shown) return;
    stream.shown = stream.told;
    this.snapshot.set(stream.told);
  }

  #ended(stream: OpenStream, error: unknown): void {
    close(stream);
    if (this.#stopped) return;
    if (stream === this.#serving) this.#serve(null);
    else if (stream === this.#next) this.#next = null;
    else return;
    const { syncedAtMs } = stream;
    const livedMs = syncedAtMs === 0 ? 0 : this.#options.clock.monotonic() - syncedAtMs;
    if (livedMs >= discoveryBackoff.maxMs) this.#failures = 0;
    // While another is about to take over there is nothing to try again.
    if (this.#next === null) this.#retry(error);
  }

  #retry(error: unknown): void {
    const { clock, random, log } = this.#options;
    const delayMs = backoffDelayMs(discoveryBackoff, this.#failures, random());
    this.#failures += 1;
    log.info("discovery stream ended", { reason: messageOf(error), retry_ms: delayMs });
    this.#cancelRetry();
    this.#cancelRetry = clock.after(delayMs, () => this.#open());
  }

  #serve(stream: OpenStream | null): void {
    this.#serving = stream;
    const isConnected = stream !== null;
    if (this.connected.get() !== isConnected) this.connected.set(isConnected);
  }
}

function close(stream: OpenStream | null): void {
  stream?.cancelSilence();
  stream?.subscription?.close();
  stream?.connection.close();
}
