// The injector put together: a certificate to be called by, the webhooks, and the caBundle by which API
// servers know the certificate. Wiring only.
import { connectController } from "#/api/connect.ts";
import { workloadId } from "#/identity/spiffe-id.ts";
import { startAdmin } from "#/lib/admin.ts";
import type { Clock } from "#/lib/clock.ts";
import { aborted } from "#/lib/lifecycle.ts";
import type { Log } from "#/lib/log.ts";
import type { Watch } from "#/lib/watch.ts";
import { Registry } from "#/lib/metrics.ts";
import { serveWebhooks } from "./server.ts";
import { FileServing, IssuedServing } from "./serving-certificate.ts";
import type { ServingSource } from "./serving-certificate.ts";
import type { InjectorConfig, WebhookConfig } from "./config.ts";
import { InjectorTrust, readTrust, readTrustFiles } from "./trust.ts";
import type { Trust, TrustTexts } from "./trust.ts";

const meshNamespace = "signet-system";
/** What the CA grants to this service account. */
const dnsName = `signet-injector.${meshNamespace}.svc`;

/** What the injector does with a cluster: both stand until they are disposed of. */
export interface ClusterSide extends AsyncDisposable {
  /** Puts the caBundle (PEM) into both webhook configurations of that name, and keeps it there. */
  readonly announce: (bundlePem: string, signal: AbortSignal) => Promise<void>;
  /** Hears of the mesh's bundle, at first and whenever it changes. */
  readonly follow: (onTexts: (texts: TrustTexts) => void) => void;
}

export interface InjectorOptions {
  readonly config: WebhookConfig;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Of the webhook configurations' name. */
  readonly openCluster: (name: string) => Promise<ClusterSide>;
}

/** Runs until `signal` aborts. Rejects with MeshError when it cannot start. */
export async function runInjector(options: InjectorOptions, signal: AbortSignal): Promise<void> {
  const { config, clock, log, openCluster } = options;
  const { rootFingerprints } = config.injector;
  // Of our own namespace, where nobody writes but who runs the mesh: what it holds may be pinned.
  const texts = await readTrustFiles(config.trustBundleFile);
  const first = readTrust(texts, rootFingerprints, clock.now());
  await using stack = new AsyncDisposableStack();
  const registry = new Registry();
  const reviews = registry.counter(
    "signet_injector_reviews_total",
    "Reviews answered, by webhook and verdict",
    ["webhook", "verdict"],
  );
  const isOnCluster = config.configurationName !== "";
  const cluster = isOnCluster ? stack.use(await openCluster(config.configurationName)) : null;
  const announce = cluster?.announce ?? (() => Promise.resolve());
  const keeper = stack.use(
    new InjectorTrust({ first, pins: rootFingerprints, announce, clock, log }),
  );
  const source = stack.use(servingSource(options, keeper.trust));
  const ready = () => {
    const isReady = source.serving.get() !== null;
    return { ready: isReady, reason: isReady ? "" : "no serving certificate yet" };
  };
  stack.use(await startAdmin({ listen: { port: config.adminPort }, registry, ready, log }));
  await source.serving.until((serving) => serving !== null, signal);
  const server = stack.use(
    await serveWebhooks({
      port: config.port,
      config: () => withPins(config.injector, keeper.trust.get()),
      serving: source.serving,
      reviews,
      log,
    }),
  );
  cluster?.follow((now) => keeper.offer(now));
  log.info("injector started", { webhook_port: server.port });
  await aborted(signal);
}

function withPins(config: InjectorConfig, { pins, formerPins }: Trust): InjectorConfig {
  return { ...config, rootFingerprints: pins, formerFingerprints: formerPins };
}

function servingSource(
  { config, clock, random, log }: InjectorOptions,
  trust: Watch<Trust>,
): ServingSource {
  if (config.files !== null) return new FileServing(config.files, clock, log);
  const { trustDomain, tokenFile } = config;
  const expectedIdentity = workloadId(trustDomain, meshNamespace, "signet-controller");
  const address = config.injector.controllerAddress;
  return new IssuedServing({
    tokenFile,
    trust,
    dnsName,
    connect: (roots) => connectController({ address, roots, svid: null, expectedIdentity, clock }),
    clock,
    random,
    log,
  });
}
