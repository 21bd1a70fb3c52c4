// The injector put together: a certificate to be called by, the webhooks, and the caBundle by which API
// servers know the certificate. Wiring only.
import { readFile } from "node:fs/promises";
import { fingerprint, parsePem } from "#/identity/bundle.ts";
import { connectController } from "#/api/connect.ts";
import { workloadId } from "#/identity/spiffe-id.ts";
import { startAdmin } from "#/lib/admin.ts";
import type { Clock } from "#/lib/clock.ts";
import { aborted } from "#/lib/lifecycle.ts";
import type { Log } from "#/lib/log.ts";
import { Registry } from "#/lib/metrics.ts";
import { serveWebhooks } from "./server.ts";
import { FileServing, IssuedServing } from "./serving-certificate.ts";
import type { ServingSource } from "./serving-certificate.ts";
import type { InjectorConfig, WebhookConfig } from "./config.ts";

const meshNamespace = "signet-system";
/** What the CA grants to this service account. */
const dnsName = `signet-injector.${meshNamespace}.svc`;

/** Keeps the caBundle (PEM) in both webhook configurations of that name. */
type KeepBundles = (name: string, caBundlePem: string) => Promise<AsyncDisposable>;

export interface InjectorOptions {
  readonly config: WebhookConfig;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly keepBundles: KeepBundles;
}

/** Runs until `signal` aborts. Rejects with MeshError when it cannot start. */
export async function runInjector(options: InjectorOptions, signal: AbortSignal): Promise<void> {
  const { config, log, keepBundles } = options;
  // Of our own namespace, where nobody writes but who runs the mesh: what it holds may be pinned.
  const bundle = await readFile(config.trustBundleFile, "utf8");
  const injector = pinned(config.injector, bundle);
  await using stack = new AsyncDisposableStack();
  const registry = new Registry();
  const reviews = registry.counter(
    "signet_injector_reviews_total",
    "Reviews answered, by webhook and verdict",
    ["webhook", "verdict"],
  );
  const source = stack.use(servingSource(options, injector));
  const ready = () => {
    const isReady = source.serving.get() !== null;
    return { ready: isReady, reason: isReady ? "" : "no serving certificate yet" };
  };
  stack.use(await startAdmin({ listen: { port: config.adminPort }, registry, ready, log }));
  await source.serving.until((serving) => serving !== null, signal);
  const server = stack.use(
    await serveWebhooks({
      port: config.port,
      config: injector,
      serving: source.serving,
      reviews,
      log,
    }),
  );
  if (config.configurationName !== "") {
    stack.use(await keepBundles(config.configurationName, bundle));
  }
  log.info("injector started", { webhook_port: server.port });
  await aborted(signal);
}

function pinned(config: InjectorConfig, bundlePem: string): InjectorConfig {
  if (config.rootFingerprints.length > 0) return config;
  return { ...config, rootFingerprints: parsePem(bundlePem).map((der) => fingerprint(der)) };
}

function servingSource(
  { config, clock, random, log }: InjectorOptions,
  injector: InjectorConfig,
): ServingSource {
  if (config.files !== null) return new FileServing(config.files, clock, log);
  const { trustDomain } = config;
  const expectedIdentity = workloadId(trustDomain, meshNamespace, "signet-controller");
  const address = injector.controllerAddress;
  return new IssuedServing({
    tokenFile: config.tokenFile,
    trustBundleFile: config.trustBundleFile,
    rootFingerprints: injector.rootFingerprints,
    dnsName,
    connect: (roots) => connectController({ address, roots, svid: null, expectedIdentity, clock }),
    clock,
    random,
    log,
  });
}
