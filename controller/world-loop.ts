// Events of the world into the index, and what changed out to the sidecars. Events that come close
// together are compiled once. Until the world was listed whole nothing is compiled or told: a restart
// must not look like a mesh that lost everything.
import type { Suspended } from "#/api/discovery.ts";
import type { DecodeError } from "#/cluster/decode-error.ts";
import type { WorldEvent } from "#/cluster/events.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Log } from "#/lib/log.ts";
import type { Delta, Mesh } from "./index/mesh.ts";
import type { ControllerMetrics } from "./metrics.ts";

/** Long enough for the events of one rollout step to come together, short beside a second. */
const gatherMs = 10;

export interface WorldLoopOptions {
  readonly mesh: Mesh;
  readonly publish: (delta: Delta) => void;
  /** Called before each compile: what follows from the world by another way than the index is set here. */
  readonly prepare?: () => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: ControllerMetrics;
}

export class WorldLoop implements Disposable {
  readonly #options: WorldLoopOptions;
  #cancel: (() => void) | null = null;
  /** As it was told last. */
  #suspended: Suspended = new Set();

  constructor(options: WorldLoopOptions) {
    this.#options = options;
    const { metrics, mesh } = options;
    metrics.worldObjects.onCollect(() => {
      for (const [kind, count] of Object.entries(mesh.counts())) {
        metrics.worldObjects.with(kind).set(count);
      }
    });
    metrics.worldConnected.with().set(0);
  }

  readonly onEvent = (event: WorldEvent): void => {
    const { mesh, metrics, log } = this.#options;
    metrics.worldEvents.with(event.type).add();
    if (event.type === "disconnected") {
      log.warn("world lost", { reason: event.reason });
      metrics.worldConnected.with().set(0);
    }
    if (event.type === "synced") {
      log.info("world listed", mesh.counts());
      metrics.worldConnected.with().set(1);
    }
    mesh.apply(event);
    if (event.type === "invalid") this.#tellInvalid(event.error);
    this.#schedule();
  };

  /** Something besides the world has changed what is told. */
  request(): void {
    this.#schedule();
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #tellInvalid({ kind, key, message }: DecodeError): void {
    const { mesh, log } = this.#options;
    const fields = { kind, key, reason: message };
    if (kind !== "PeerAuthentication" || key === "" || mesh.policies.has(key)) {
      log.warn("object cannot be read", fields);
    } else
      log.error("policy cannot be read, and pods that it may select are held to STRICT", fields);
  }

  #schedule(): void {
    if (!this.#options.mesh.isSynced || this.#cancel !== null) return;
    this.#cancel = this.#options.clock.after(gatherMs, () => {
      this.#cancel = null;
      this.#flush();
    });
  }

  #flush(): void {
    const { mesh, publish, clock, log, metrics } = this.#options;
    this.#options.prepare?.();
    const startedAt = clock.monotonic();
    const delta = mesh.flush();
    metrics.compileSeconds.with().observe((clock.monotonic() - startedAt) / 1000);
    for (const { key, reason } of delta.faults) {
      metrics.compileFaults.with().add();
      log.error("resource cannot be compiled", { key, reason });
    }
    publish(delta);
    this.#tellSuspensions();
  }

  /** The log says who was suspended for as long as logs are kept; the object says it until it is gone. */
  #tellSuspensions(): void {
    const { mesh, log } = this.#options;
    const { suspended } = mesh.suspensions;
    if (suspended === this.#suspended) return;
    for (const { id, reason, name } of mesh.suspensions.all()) {
      if (!this.#suspended.has(id)) log.warn("identity suspended", { identity: id, reason, name });
    }
    for (const id of this.#suspended.difference(suspended)) {
      log.warn("identity resumed", { identity: id });
    }
    this.#suspended = suspended;
  }
}
