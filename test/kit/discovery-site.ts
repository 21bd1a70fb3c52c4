// A controller's discovery as it is served, over a real connection, and sidecars that subscribe to it.
import type { HeldResource, Hello, Update } from "#/api/discovery.ts";
import type { RpcError } from "#/api/rpc-error.ts";
import type { ControllerConnection, Subscription } from "#/api/rpc.ts";
import { applyUpdate, emptySnapshot, heldResources } from "#/api/snapshot.ts";
import type { Snapshot } from "#/api/snapshot.ts";
import type { WorldObject } from "#/cluster/events.ts";
import { Mesh } from "#/controller/index/mesh.ts";
import { declareMetrics } from "#/controller/metrics.ts";
import { DiscoveryHub } from "#/controller/serve/discovery.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";
import { Registry } from "#/lib/metrics.ts";
import { connect, start, trustDomain, until } from "./controller-server.ts";
import type { Started } from "./controller-server.ts";
import { applied, pod } from "./objects.ts";

export const caller: WorldObject = pod("app/caller", { address: "127.0.0.1", account: "sa" });
export const identity = "spiffe://cluster.local/ns/app/sa/sa";
export const hello: Hello = {
  podNamespace: "app",
  podName: "caller",
  podUid: "uid-of-caller",
  held: [],
};

export class Controller implements AsyncDisposable {
  readonly mesh: Mesh = new Mesh(trustDomain);
  readonly hub: DiscoveryHub;
  readonly registry: Registry = new Registry();
  started!: Started;

  constructor() {
    const metrics = declareMetrics(this.registry);
    this.hub = new DiscoveryHub({ mesh: this.mesh, clock: systemClock, log: silentLog, metrics });
  }

  async start(...objects: readonly Parameters<typeof applied>[0][]): Promise<this> {
    this.mesh.setBundle({ trustDomain, roots: [new Uint8Array([1])] });
    for (const object of objects) this.mesh.apply(applied(object));
    this.mesh.apply({ type: "synced" });
    this.mesh.flush();
    return this.serve();
  }

  async serve(): Promise<this> {
    this.started = await start({ subscribe: (stream) => this.hub.subscribe(stream) });
    return this;
  }

  change(...events: readonly Parameters<Mesh["apply"]>[0][]): void {
    for (const event of events) this.mesh.apply(event);
    this.hub.publish(this.mesh.flush());
  }

  readonly #connections: ControllerConnection[] = [];

  async connect(id: string = identity): Promise<ControllerConnection> {
    const connection = connect(this.started, await this.started.authority.issue(id));
    this.#connections.push(connection);
    return connection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.close();
    await this.started[Symbol.asyncDispose]();
  }
}

export const startController = (
  ...objects: readonly Parameters<typeof applied>[0][]
): Promise<Controller> => new Controller().start(...objects);

/** A sidecar: applies what comes and answers, unless `refuse` finds a fault. */
export class Sidecar {
  snapshot: Snapshot;
  readonly updates: string[][] = [];
  ended: RpcError | null = null;
  readonly #subscription: Subscription;

  constructor(
    connection: ControllerConnection,
    options: { from?: Snapshot; hello?: Partial<Hello>; refuse?: (update: Update) => boolean } = {},
  ) {
    this.snapshot = options.from ?? emptySnapshot;
    const held: readonly HeldResource[] = heldResources(this.snapshot);
    this.#subscription = connection.subscribe(
      { ...hello, held, ...options.hello },
      {
        onUpdate: (update) => {
          this.updates.push([
            ...update.upserts.map(({ kind, name }) => `+${kind}|${name}`),
            ...update.removals.map(({ kind, name }) => `-${kind}|${name}`),
          ]);
          if (options.refuse?.(update) === true) {
            return this.#subscription.nack(update.sequence, "it does not please");
          }
          this.snapshot = applyUpdate(this.snapshot, update);
          this.#subscription.ack(update.sequence);
        },
        onEnd: (error) => (this.ended = error),
      },
    );
  }

  close(): void {
    this.#subscription.close();
  }

  synced(): Promise<void> {
    return until(() => this.snapshot.synced);
  }
}
