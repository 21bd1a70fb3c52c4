// From events of the world to what subscribers are told: events of one burst are compiled once.
import type { WorldEvent } from "#/cluster/events.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Log } from "#/lib/log.ts";
import type { Mesh } from "./index/mesh.ts";
import type { ControllerMetrics } from "./metrics.ts";
import type { DiscoveryHub } from "./serve/discovery.ts";

export interface WorldOptions {
  readonly mesh: Mesh;
  readonly hub: DiscoveryHub;
  readonly metrics: ControllerMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** A burst is waited for this long: far below the second in which a change must arrive. */
const settleMs = 10;

export function followWorld(options: WorldOptions): { onEvent(event: WorldEvent): void } {
  const { mesh, hub, metrics, clock, log } = options;
  let scheduled = false;
  const flush = (): void => {
    scheduled = false;
    if (!mesh.isSynced) return;
    const startedAt = clock.monotonic();
    const delta = mesh.flush();
    metrics.compileSeconds.with().observe((clock.monotonic() - startedAt) / 1000);
    for (const { key, reason } of delta.faults) {
      metrics.compileFaults.with().add();
      log.warn("resource not compiled, the last good one stays", { resource: key, reason });
    }
    const counts = mesh.counts();
    for (const [kind, count] of Object.entries(counts)) metrics.worldObjects.with(kind).set(count);
    hub.publish(delta);
  };
  return {
    onEvent(event) {
      metrics.worldEvents.with(event.type).add();
      mesh.apply(event);
      switch (event.type) {
        case "invalid":
          log.warn("object unreadable, the last good one stays", { reason: event.error.message });
          return;
        case "disconnected":
          metrics.worldConnected.with().set(0);
          log.warn("world lost, what is known stays in force", { reason: event.reason });
          return;
        case "synced":
          metrics.worldConnected.with().set(1);
          break;
        case "applied":
        case "deleted":
          break;
        default:
          event satisfies never;
      }
      if (scheduled) return;
      scheduled = true;
      clock.after(settleMs, flush);
    },
  };
}
