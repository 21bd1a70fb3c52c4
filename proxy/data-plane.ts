// Everything that traffic passes: both sides with their listeners, pools and limits. It is given credentials
// and snapshots, and knows nothing of where they come from: the control plane of the same thread, or messages of
// another one.
import type { Snapshot } from "#/api/snapshot.ts";
import { emptySnapshot } from "#/api/snapshot.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { workloadId } from "#/identity/spiffe-id.ts";
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import type { ProxyConfig } from "./config.ts";
import type { InboundRules } from "./inbound/authorize.ts";
import { InboundSide } from "./inbound/listener.ts";
import { Deadlines } from "./net/deadline.ts";
import { dial } from "./net/dial.ts";
import { listen } from "./net/listen.ts";
import type { Listener } from "./net/listen.ts";
import type { AccessLog } from "./observe/access-log.ts";
import type { Direction, ProxyMetrics } from "./observe/metrics.ts";
import { Chance } from "./outbound/balance.ts";
import { RetryBudget } from "./outbound/budget.ts";
import { EndpointConnector } from "./outbound/connector.ts";
import { OutboundSide } from "./outbound/listener.ts";
import { ProvenConnections } from "./outbound/proven.ts";
import { RouteTable } from "./outbound/table.ts";
import { ConnectionCount } from "./overload/connection-count.ts";
import { connectionLimits } from "./overload/connection-limits.ts";
import { memoryReader } from "./overload/memory.ts";
import { Overload } from "./overload/overload.ts";
import { adminPort, inboundPort, outboundPort } from "./ports.ts";
import { Http1Transport } from "./stream/pool.ts";
import { defaultPoolLimits, plaintextFacts } from "./stream/transport.ts";
import type { Connector, Target } from "./stream/transport.ts";
import { alpnHttp1, alpnTcp } from "./tls/credentials.ts";
import type { Credentials } from "./tls/credentials.ts";

const appConnectTimeoutMs = 5_000;
const drainPollMs = 50;

export interface DataPlaneOptions {
  readonly config: ProxyConfig;
  readonly credentials: Watch<Credentials | null>;
  readonly snapshot: Watch<Snapshot>;
  readonly metrics: ProxyMetrics;
  readonly accessLog: AccessLog;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** What this process may have open. */
  readonly descriptorsMax: number;
}

export class DataPlane {
  readonly #options: DataPlaneOptions;
  readonly #ownId: SpiffeId;
  readonly #deadlines: Deadlines;
  readonly #rules = new Watch<InboundRules | null>(null);
  readonly #table: RouteTable;
  readonly #proven: ProvenConnections;
  readonly #counts: Readonly<Record<Direction, ConnectionCount>>;
  readonly #outboundTransport;
  readonly #inbound: InboundSide;
  readonly #outbound: OutboundSide;
  readonly #stopFollowing: () => void;
  #listeners: readonly Listener[] = [];

  private constructor(options: DataPlaneOptions) {
    const { config, clock, random, log, metrics, accessLog, credentials } = options;
    const { trustDomain, pod, opaquePorts } = config;
    const rules = this.#rules;
    this.#options = options;
    this.#ownId = workloadId(trustDomain, pod.namespace, pod.serviceAccount);
    const deadlines = (this.#deadlines = new Deadlines(clock));
    const ownPorts = [inboundPort, outboundPort, adminPort];
    const table = (this.#table = new RouteTable(pod.addresses, ownPorts, trustDomain));
    const proven = new ProvenConnections({ own: this.#ownId, clock, deadlines, metrics });
    this.#proven = proven;
    this.#counts = connectionCounts(options);
    const overload = new Overload({
      limits: config.pressure,
      clock,
      deadlines,
      metrics,
      memoryShare: memoryReader(),
      connections: () => this.#counts.inbound.open + this.#counts.outbound.open,
      log,
    });
    const poolContext = (direction: Direction) => ({
      clock,
      deadlines,
      limits: defaultPoolLimits,
      onCertificateEnd: (how: string) => metrics.expiredConnections.with(direction, how).add(),
    });
    const connectorOptions = { credentials, proven, rules, metrics, clock, log };
    this.#outboundTransport = new Http1Transport(
      new EndpointConnector({ ...connectorOptions, alpn: alpnHttp1 }),
      poolContext("outbound"),
    );
    const budgets = new Map<string, RetryBudget>();
    this.#outbound = new OutboundSide({
      clock,
      deadlines,
      metrics,
      accessLog,
      log,
      table,
      opaquePorts,
      transport: this.#outboundTransport,
      connector: new EndpointConnector({ ...connectorOptions, alpn: alpnTcp }),
      chance: new Chance(Math.floor(random() * 2 ** 32)),
      budgetOf: (service) => budgetOf(budgets, service, clock),
      ownIdentity: (): SpiffeId | null => credentials.get()?.id ?? null,
      random,
      cells: new Map(),
      gate: overload.outbound,
    });
    this.#inbound = new InboundSide({
      clock,
      deadlines,
      metrics,
      accessLog,
      log,
      rules,
      credentials,
      own: this.#ownId,
      ownAddresses: pod.addresses,
      ownPorts,
      opaquePorts,
      transport: new Http1Transport(applicationConnector(clock), poolContext("inbound")),
      gate: overload.inbound,
    });
    rules.onChange((next, before) => {
      if (!requiresPostQuantum(next) || requiresPostQuantum(before)) return;
      const count = proven.endClassical();
      if (count > 0) log.info("policy closed connections", { count });
    });
    this.#stopFollowing = options.snapshot.onChange((next, previous) =>
      this.#follow(next, previous),
    );
    this.#follow(options.snapshot.get(), emptySnapshot);
  }

  /** Listens when this resolves; throws ListenError. */
  static async start(options: DataPlaneOptions): Promise<DataPlane> {
    const plane = new DataPlane(options);
    await plane.#listen();
    return plane;
  }

  get liveConnections(): number {
    return this.#inbound.liveConnections + this.#outbound.liveConnections;
  }

  /** Lets what is open end by itself for `drainMs`, taking what is new until then; cuts what is left. */
  async end(drainMs: number): Promise<void> {
    const { clock } = this.#options;
    this.#inbound.drain();
    this.#outbound.drain();
    const deadline = clock.monotonic() + drainMs;
    while (this.liveConnections > 0 && clock.monotonic() < deadline) {
      await sleep(clock, drainPollMs);
    }
    for (const listener of this.#listeners) listener.close();
    this.#inbound.cutAll();
    this.#outbound.cutAll();
    this.#stopFollowing();
    this.#deadlines.stop();
  }

  async #listen(): Promise<void> {
    const { inbound, outbound } = this.#counts;
    const inboundAddresses = [["::", inboundPort]] as const;
    // The redirect in OUTPUT delivers to loopback, so nobody else can reach this listener.
    const outboundAddresses = [
      ["127.0.0.1", outboundPort],
      ["::1", outboundPort],
    ] as const;
    const open = (
      [address, port]: readonly [string, number],
      count: ConnectionCount,
      side: InboundSide | OutboundSide,
    ): Promise<Listener> =>
      listen({
        address,
        port,
        shared: this.#options.config.workers > 1,
        onConnection: (socket) => {
          if (count.admit(socket)) side.accept(socket);
        },
      });
    this.#listeners = await Promise.all([
      ...inboundAddresses.map((where) => open(where, inbound, this.#inbound)),
      ...outboundAddresses.map((where) => open(where, outbound, this.#outbound)),
    ]);
  }

  #follow(snapshot: Snapshot, previous: Snapshot): void {
    const { log } = this.#options;
    for (const cluster of emptiedClusters(previous, snapshot)) {
      log.warn("cluster has no endpoint left", { cluster });
    }
    const wanted = this.#table.update(snapshot);
    this.#outboundTransport.retain((endpoint) => wanted.has(endpoint));
    applySuspensions(snapshot, this.#ownId, this.#proven, log);
    const withdrawn = this.#proven.federate(snapshot.federated);
    if (withdrawn > 0) log.info("withdrawn federation closed connections", { count: withdrawn });
    const next = inboundRules(snapshot, this.#rules.get());
    if (next !== this.#rules.get()) this.#rules.set(next);
  }
}

function connectionCounts(options: DataPlaneOptions): Readonly<Record<Direction, ConnectionCount>> {
  const { config, descriptorsMax, metrics } = options;
  const limits = connectionLimits(descriptorsMax, config.connectionsMax, config.workers);
  const count = (direction: Direction, perSourceMax: number): ConnectionCount =>
    new ConnectionCount({
      connectionsMax: limits[direction],
      perSourceMax,
      onOverflow: (reason) => metrics.refusals.with(direction, reason).add(),
    });
  return {
    inbound: count("inbound", limits.inboundPerSource),
    // All of the pod's own: there is nobody to be fair to.
    outbound: count("outbound", Infinity),
  };
}

function requiresPostQuantum(rules: InboundRules | null): boolean {
  return rules?.policy.requiresPostQuantum === true;
}

/** The same object while nothing of it changed. */
function inboundRules(
  { policy, suspended, federated }: Snapshot,
  present: InboundRules | null,
): InboundRules | null {
  if (policy === null || suspended === null) return null;
  const isSame = present?.policy === policy && present.suspended === suspended;
  if (isSame && present.federated === federated) return present;
  return { policy, suspended, federated };
}

/** After the table has them: what breaks off here is not tried again at another suspended endpoint. */
function applySuspensions(
  { suspended }: Snapshot,
  ownId: SpiffeId,
  proven: ProvenConnections,
  log: Log,
): void {
  if (suspended === null) return;
  const wasAdmitted = proven.admits(ownId);
  const closed = proven.suspend(suspended);
  if (closed > 0) {
    log.info("suspension closed connections", { reason: "identity_suspended", count: closed });
  }
  const isAdmitted = proven.admits(ownId);
  if (wasAdmitted && !isAdmitted) log.error("own identity is suspended", { id: ownId });
  if (!wasAdmitted && isAdmitted) log.info("own identity is resumed", { id: ownId });
}

/** Clusters that had endpoints, and have none now. */
function emptiedClusters(previous: Snapshot, next: Snapshot): readonly string[] {
  if (previous.clusters === next.clusters) return [];
  return [...previous.clusters.values()]
    .filter(({ name, endpoints }) => {
      return endpoints.length > 0 && (next.clusters.get(name)?.endpoints.length ?? 0) === 0;
    })
    .map(({ name }) => name);
}

function budgetOf(budgets: Map<string, RetryBudget>, service: string, clock: Clock): RetryBudget {
  let budget = budgets.get(service);
  if (budget === undefined) {
    budget = new RetryBudget(clock.monotonic());
    budgets.set(service, budget);
  }
  return budget;
}

/** The application, at the pod's own address, in plaintext that never leaves the pod. */
function applicationConnector(clock: Clock): Connector<Target> {
  return {
    connect: (target, connected, failed) =>
      dial(
        target,
        appConnectTimeoutMs,
        clock,
        (socket) => connected(socket, plaintextFacts),
        failed,
      ),
  };
}
