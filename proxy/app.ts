// The wiring of the sidecar, and nothing else: control feeds Watches, Watches feed the two sides.
import { connectController } from "#/api/connect.ts";
import type { Snapshot } from "#/api/snapshot.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { workloadId } from "#/identity/spiffe-id.ts";
import { startAdmin } from "#/lib/admin.ts";
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import { formatHostPort } from "#/lib/ip.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import { adminPort, inboundPort, outboundPort } from "./config.ts";
import type { ProxyConfig } from "./config.ts";
import { Certifier } from "./control/certify.ts";
import type { CertifierOptions } from "./control/certify.ts";
import { DiscoveryWatch } from "./control/discovery-watch.ts";
import type { InboundRules } from "./inbound/authorize.ts";
import { InboundSide } from "./inbound/listener.ts";
import { Deadlines } from "./net/deadline.ts";
import { dial } from "./net/dial.ts";
import { listen } from "./net/listen.ts";
import { AccessLog } from "./observe/access-log.ts";
import { ProxyMetrics } from "./observe/metrics.ts";
import { Chance } from "./outbound/balance.ts";
import { RetryBudget } from "./outbound/budget.ts";
import { EndpointConnector } from "./outbound/connector.ts";
import { OutboundSide } from "./outbound/listener.ts";
import { ProvenConnections } from "./outbound/proven.ts";
import { RouteTable } from "./outbound/table.ts";
import { probeRoutes } from "./probe/routes.ts";
import { readiness } from "./readiness.ts";
import { Http1Transport } from "./stream/pool.ts";
import { defaultPoolLimits, plaintextFacts } from "./stream/transport.ts";
import type { Connector, Target } from "./stream/transport.ts";
import { alpnHttp1, alpnTcp, makeCredentials } from "./tls/credentials.ts";
import type { Credentials } from "./tls/credentials.ts";
import type { WorkloadApi, WorkloadApiOptions } from "./workload/api.ts";

/** Leaves descriptors for the controller's stream, the admin port and upstream connections. */
const connectionsMax = 20_000;
const appConnectTimeoutMs = 5_000;

export interface AppOptions {
  readonly config: ProxyConfig;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** File descriptor of the access log; null: none. */
  readonly accessLogDescriptor: number | null;
}

/** Runs until `signal` aborts, then drains. Throws MeshError when it cannot start. */
export async function runProxy(options: AppOptions, signal: AbortSignal): Promise<void> {
  const { config, clock, random, log } = options;
  const metrics = new ProxyMetrics();
  const deadlines = new Deadlines(clock);
  const accessLog = new AccessLog(options.accessLogDescriptor, clock);
  const { trustDomain, pod } = config;
  const ownId = workloadId(trustDomain, pod.namespace, pod.serviceAccount);
  const controllerId = workloadId(trustDomain, "signet-system", "signet-controller");
  const address = formatHostPort(config.controller.host, config.controller.port);

  const certification: CertifierOptions = {
    config,
    ownId,
    metrics,
    clock,
    random,
    log,
    connect: (roots, svid) =>
      connectController({ address, roots, svid, expectedIdentity: controllerId, clock }),
  };
  const certifier = new Certifier(certification);
  const discovery = new DiscoveryWatch({
    pod: { namespace: pod.namespace, name: pod.name, uid: pod.uid },
    svid: certifier.svid,
    connect: (svid) =>
      connectController({
        address,
        roots: certifier.roots(),
        svid,
        expectedIdentity: controllerId,
        clock,
      }),
    clock,
    random,
    log,
  });
  const credentials = watchCredentials(certifier, discovery, trustDomain);
  const rules = new Watch<InboundRules | null>(null);
  const ownPorts = [inboundPort, outboundPort, adminPort];
  const table = new RouteTable(pod.addresses, ownPorts, trustDomain);

  const proven = new ProvenConnections({ own: ownId, clock, deadlines, metrics });
  const poolContext = (direction: string) => ({
    clock,
    deadlines,
    limits: defaultPoolLimits,
    onCertificateEnd: (how: string) => metrics.expiredConnections.with(direction, how).add(),
  });
  const connectorOptions = { credentials, proven, rules, metrics, clock, log };
  const outboundTransport = new Http1Transport(
    new EndpointConnector({ ...connectorOptions, alpn: alpnHttp1 }),
    poolContext("outbound"),
  );
  const budgets = new Map<string, RetryBudget>();
  const outbound = new OutboundSide({
    clock,
    deadlines,
    metrics,
    accessLog,
    log,
    table,
    opaquePorts: config.opaquePorts,
    transport: outboundTransport,
    connector: new EndpointConnector({ ...connectorOptions, alpn: alpnTcp }),
    chance: new Chance(Math.floor(random() * 2 ** 32)),
    budgetOf: (service) => budgetOf(budgets, service, clock),
    ownIdentity: (): SpiffeId | null => credentials.get()?.id ?? null,
    random,
    cells: new Map(),
  });
  const inbound = new InboundSide({
    clock,
    deadlines,
    metrics,
    accessLog,
    log,
    rules,
    credentials,
    own: ownId,
    ownAddresses: pod.addresses,
    ownPorts,
    opaquePorts: config.opaquePorts,
    transport: new Http1Transport(applicationConnector(clock), poolContext("inbound")),
  });
  rules.onChange((next, before) => {
    if (!requiresPostQuantum(next) || requiresPostQuantum(before)) return;
    const count = proven.endClassical();
    if (count > 0) log.info("policy closed connections", { count });
  });
  discovery.snapshot.onChange((snapshot, previous) => {
    for (const cluster of emptiedClusters(previous, snapshot)) {
      log.warn("cluster has no endpoint left", { cluster });
    }
    const wanted = table.update(snapshot);
    outboundTransport.retain((endpoint) => wanted.has(endpoint));
    applySuspensions(snapshot, ownId, proven, log);
    const withdrawn = proven.federate(snapshot.federated);
    if (withdrawn > 0) log.info("withdrawn federation closed connections", { count: withdrawn });
    const next = inboundRules(snapshot, rules.get());
    if (next !== rules.get()) rules.set(next);
  });
  metrics.certificateNotAfter.onCollect(() => {
    metrics.certificateNotAfter.with().set((credentials.get()?.notAfter ?? 0) / 1000);
    metrics.controllerConnected.with().set(discovery.connected.get() ? 1 : 0);
    const { heapUsed, external } = process.memoryUsage();
    metrics.heapBytes.with().set(heapUsed);
    metrics.externalBytes.with().set(external);
  });

  const workload = await workloadApi(config, { ...certification, metrics });
  discovery.snapshot.onChange(({ bundle, jwtAuthorities, federated }, previous) => {
    const isSame =
      bundle === previous.bundle &&
      jwtAuthorities === previous.jwtAuthorities &&
      federated === previous.federated;
    if (bundle !== null && !isSame) workload?.trust(bundle, jwtAuthorities, federated);
  });

  const overflow = (direction: string) => () => metrics.refusals.with(direction, "overflow").add();
  const inboundListener = await listen({
    address: "::",
    port: inboundPort,
    connectionsMax,
    onConnection: (socket) => inbound.accept(socket),
    onOverflow: overflow("inbound"),
  });
  const outboundListeners = await Promise.all(
    // The redirect in OUTPUT delivers to loopback, so nobody else can reach this listener.
    ["127.0.0.1", "::1"].map((loopback) =>
      listen({
        address: loopback,
        port: outboundPort,
        connectionsMax,
        onConnection: (socket) => outbound.accept(socket),
        onOverflow: overflow("outbound"),
      }),
    ),
  );
  await using _admin = await startAdmin({
    listen: { port: adminPort },
    registry: metrics.registry,
    openRoutes: probeRoutes(config.probes, { address: pod.addresses[0] ?? "", clock }),
    ready: () =>
      readiness({
        credentials: credentials.get(),
        snapshot: discovery.snapshot.get(),
        workload: workload === null ? "not_asked" : workload.svid,
        nowMs: clock.now(),
        draining: signal.aborted,
      }),
    log,
  });
  log.info("started", { id: ownId });
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

  log.info("draining", { deadline_ms: config.drainMs });
  inbound.drain();
  outbound.drain();
  workload?.drain();
  await drained(inbound, outbound, config.drainMs, clock);
  inboundListener.close();
  for (const listener of outboundListeners) listener.close();
  inbound.cutAll();
  outbound.cutAll();
  discovery.stop();
  certifier.stop();
  workload?.stop();
  await accessLog.flush();
}

const drainPollMs = 50;

async function drained(
  inbound: InboundSide,
  outbound: OutboundSide,
  drainMs: number,
  clock: Clock,
): Promise<void> {
  const deadline = clock.monotonic() + drainMs;
  while (inbound.liveConnections + outbound.liveConnections > 0) {
    if (clock.monotonic() >= deadline) return;
    await sleep(clock, drainPollMs);
  }
}

/** A new SVID or a new bundle, also of another trust domain, makes new credentials; an expired SVID leaves none. */
function watchCredentials(
  certifier: Certifier,
  discovery: DiscoveryWatch,
  trustDomain: ProxyConfig["trustDomain"],
): Watch<Credentials | null> {
  const credentials = new Watch<Credentials | null>(null);
  const update = (): void => {
    const svid = certifier.svid.get();
    const bundle = discovery.snapshot.get().bundle ?? {
      trustDomain,
      roots: certifier.roots(),
    };
    const { federated } = discovery.snapshot.get();
    credentials.set(svid === null ? null : makeCredentials(svid, bundle, federated));
  };
  certifier.svid.onChange(update);
  discovery.snapshot.onChange((next, previous) => {
    const isBundleNew = next.bundle !== previous.bundle && next.bundle !== null;
    if (isBundleNew) certifier.trust(next.bundle);
    if (isBundleNew || next.federated !== previous.federated) update();
  });
  update();
  return credentials;
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

/** null unless the pod asked for it; only then it is loaded at all. */
async function workloadApi(
  { workloadApi: asked }: ProxyConfig,
  options: Omit<WorkloadApiOptions, "socketPath" | "peers">,
): Promise<WorkloadApi | null> {
  if (asked === null) return null;
  const { startWorkloadApi } = await import("./workload/api.ts");
  return startWorkloadApi(asked, options);
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
