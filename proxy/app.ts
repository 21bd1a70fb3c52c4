// The wiring of the sidecar, and nothing else: control feeds Watches, Watches feed the two sides.
import { readFileSync } from "node:fs";
import { connectController } from "#/api/connect.ts";
import { workloadId } from "#/identity/spiffe-id.ts";
import { startAdmin } from "#/lib/admin.ts";
import type { Clock } from "#/lib/clock.ts";
import { formatHostPort } from "#/lib/ip.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import { adminPort } from "./config.ts";
import type { ProxyConfig } from "./config.ts";
import { Certifier } from "./control/certify.ts";
import type { CertifierOptions } from "./control/certify.ts";
import { DiscoveryWatch } from "./control/discovery-watch.ts";
import { DataPlane } from "./data-plane.ts";
import { AccessLog } from "./observe/access-log.ts";
import { ProxyMetrics } from "./observe/metrics.ts";
import { descriptorsMaxOf } from "./overload/connection-limits.ts";
import { probeRoutes } from "./probe/routes.ts";
import { readiness } from "./readiness.ts";
import { makeCredentials } from "./tls/credentials.ts";
import type { Credentials } from "./tls/credentials.ts";
import type { WorkloadApi, WorkloadApiOptions } from "./workload/api.ts";

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
  metrics.certificateNotAfter.onCollect(() => {
    metrics.certificateNotAfter.with().set((credentials.get()?.notAfter ?? 0) / 1000);
    metrics.controllerConnected.with().set(discovery.connected.get() ? 1 : 0);
  });

  const workload = await workloadApi(config, { ...certification, metrics });
  discovery.snapshot.onChange(({ bundle, jwtAuthorities, federated }, previous) => {
    const isSame =
      bundle === previous.bundle &&
      jwtAuthorities === previous.jwtAuthorities &&
      federated === previous.federated;
    if (bundle !== null && !isSame) workload?.trust(bundle, jwtAuthorities, federated);
  });

  const plane = await DataPlane.start({
    config,
    credentials,
    snapshot: discovery.snapshot,
    metrics,
    accessLog,
    clock,
    random,
    log,
    descriptorsMax: descriptorsMaxOf(readFileSync("/proc/self/limits", "utf8")),
  });
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
  workload?.drain();
  await plane.end(config.drainMs);
  discovery.stop();
  certifier.stop();
  workload?.stop();
  await accessLog.flush();
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

/** null unless the pod asked for it; only then it is loaded at all. */
async function workloadApi(
  { workloadApi: asked }: ProxyConfig,
  options: Omit<WorkloadApiOptions, "socketPath" | "peers">,
): Promise<WorkloadApi | null> {
  if (asked === null) return null;
  const { startWorkloadApi } = await import("./workload/api.ts");
  return startWorkloadApi(asked, options);
}
