// Who carries the traffic: this thread, or workers beside it. To the control plane both look alike.
import { AccessLog } from "./observe/access-log.ts";
import { descriptorSink } from "./observe/access-sink.ts";
import { credentialsOf } from "./tls/credentials.ts";
import type { Credentials } from "./tls/credentials.ts";
import { Watch } from "#/lib/watch.ts";
import type { WorkerPoolOptions } from "./workers/pool.ts";

export interface Traffic {
  /** Every thread that carries traffic takes connections. */
  readonly isListening: boolean;
  /** Calls back once what was set before holds wherever traffic passes. */
  settled(then: () => void): void;
  /** Metrics of all threads. */
  expose(): string | Promise<string>;
  /** Lets what is open end by itself for `drainMs`, then cuts it. */
  end(drainMs: number): Promise<void>;
}

export interface TrafficOptions extends Omit<WorkerPoolOptions, "accessLog"> {
  /** File descriptor of the access log; null: none. */
  readonly accessLogDescriptor: number | null;
}

/** Takes connections when it resolves; throws MeshError when it cannot. */
export async function startTraffic(options: TrafficOptions): Promise<Traffic> {
  if (options.config.workers === 1) return startHere(options);
  const { WorkerPool } = await import("./workers/pool.ts");
  const { accessLogDescriptor: descriptor } = options;
  const accessLog = descriptor === null ? null : descriptorSink(descriptor);
  return WorkerPool.start({ ...options, accessLog });
}

async function startHere(options: TrafficOptions): Promise<Traffic> {
  const { material, metrics, clock } = options;
  const { DataPlane } = await import("./data-plane.ts");
  // No thread will be asked for.
  process.permission?.drop("worker");
  const credentials = new Watch<Credentials | null>(credentialsOf(material.get()));
  material.onChange((next) => credentials.set(credentialsOf(next)));
  const accessLog = new AccessLog(options.accessLogDescriptor, clock);
  const plane = await DataPlane.start({ ...options, credentials, accessLog });
  return {
    isListening: true,
    settled: (then) => then(),
    expose: () => metrics.registry.expose(),
    async end(drainMs) {
      await plane.end(drainMs);
      await accessLog.flush();
    },
  };
}
