// The wiring of the sidecar, and nothing else: control feeds Watches, Watches feed the two sides.
import { readFileSync } from "node:fs";
import { connectController } from "#/api/connect.ts";
import { workloadId } from "#/identity/spiffe-id.ts";
import { startAdmin } from "#/lib/admin.ts";
import type { Clock } from "#/lib/clock.ts";
import { formatHostPort } from "#/lib/ip.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import type { ProxyConfig } from "./config.ts";
import { Certifier } from "./control/certify.ts";
import type { CertifierOptions } from "./control/certify.ts";
import { DiscoveryWatch } from "./control/discovery-watch.ts";
import { ProxyMetrics } from "./observe/metrics.ts";
import { descriptorsMaxOf } from "./overload/connection-limits.ts";
import { adminPort } from "./ports.ts";
import { probeRoutes } from "./probe/routes.ts";
import { readiness } from "./readiness.ts";
import type { CredentialMaterial } from "./tls/credentials.ts";
import { startTraffic } from "./traffic.ts";
import type { Traffic } from "./traffic.ts";
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
  let traffic: Traffic | null = null;
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
    settled: (then) => (traffic === null ? then() : traffic.settled(then)),
  });
  const material = watchMaterial(certifier, discovery, trustDomain);
  metrics.certificateNotAfter.onCollect(() => {
    metrics.certificateNotAfter.with().set((material.get()?.svid.notAfter ?? 0) / 1000);
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

  const carrying = await startTraffic({
    config,
    material,
    snapshot: discovery.snapshot,
    metrics,
    accessLogDescriptor: options.accessLogDescriptor,
    descriptorsMax: descriptorsMaxOf(readFileSync("/proc/self/limits", "utf8")),
    clock,
    random,
    log,
  });
  traffic = carrying;
  await using _admin = await startAdmin({
    listen: { port: adminPort },
    registry: carrying,
    openRoutes: probeRoutes(config.probes, { address: pod.addresses[0] ?? "", clock }),
    ready: () =>
      readiness({
        credentials: material.get()?.svid ?? null,
        snapshot: discovery.snapshot.get(),
        workload: workload === null ? "not_asked" : workload.svid,
        nowMs: clock.now(),
        draining: signal.aborted,
        isListening: carrying.isListening,
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
  await carrying.end(config.drainMs);
  discovery.stop();
  certifier.stop();
  workload?.stop();
}

/** A new SVID or a new bundle, also of another trust domain, makes new credentials; an expired SVID leaves none. */
function watchMaterial(
  certifier: Certifier,
  discovery: DiscoveryWatch,
  trustDomain: ProxyConfig["trustDomain"],
): Watch<CredentialMaterial | null> {
  const material = new Watch<CredentialMaterial | null>(null);
  const update = (): void => {
    const svid = certifier.svid.get();
    const { bundle, federated } = discovery.snapshot.get();
    const trusted = bundle ?? { trustDomain, roots: certifier.roots() };
    material.set(svid === null ? null : { svid, bundle: trusted, federated });
  };
  certifier.svid.onChange(update);
  discovery.snapshot.onChange((next, previous) => {
    const isBundleNew = next.bundle !== previous.bundle && next.bundle !== null;
    if (isBundleNew) certifier.trust(next.bundle);
    if (isBundleNew || next.federated !== previous.federated) update();
  });
  update();
  return material;
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
