// Where the world comes from: the local runtime's socket with its keys for tokens, or a Kubernetes
// cluster that reviews tokens itself and is written to. Both are the same to the rest of the controller.
import { readFile } from "node:fs/promises";
import { createJwksReviewer } from "#/ca/attest.ts";
import type { TokenReviewer } from "#/ca/attest.ts";
import { CaError } from "#/ca/ca-error.ts";
import { localKeyWrapper } from "#/ca/rotation/key-wrapper.ts";
import type { KeyWrapper } from "#/ca/rotation/key-wrapper.ts";
import { openAccess } from "#/cluster/kubernetes/access.ts";
import { createKubernetesClient } from "#/cluster/kubernetes/client.ts";
import { KubernetesError } from "#/cluster/kubernetes/kubernetes-error.ts";
import { joinLease } from "#/cluster/kubernetes/lease.ts";
import type { PolicyView } from "#/cluster/kubernetes/policy-status.ts";
import { writePolicyStatus } from "#/cluster/kubernetes/policy-status.ts";
import type { BundleState } from "#/cluster/kubernetes/federation-status.ts";
import { writeFederationStatus } from "#/cluster/kubernetes/federation-status.ts";
import type { RouteView } from "#/cluster/kubernetes/route-status.ts";
import { writeRouteStatus } from "#/cluster/kubernetes/route-status.ts";
import { writeSuspensionStatus } from "#/cluster/kubernetes/suspension-status.ts";
import { TokenReviewError, createTokenReview } from "#/cluster/kubernetes/token-review.ts";
import type { PublishedTexts } from "#/cluster/kubernetes/trust-bundle.ts";
import { keepTrustBundles } from "#/cluster/kubernetes/trust-bundle.ts";
import { watchKubernetesWorld } from "#/cluster/kubernetes/world.ts";
import type { WorldEvent } from "#/cluster/events.ts";
import { watchWorldSocket } from "#/cluster/world-socket.ts";
import { toPem } from "#/identity/bundle.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import type { ControllerConfig, WorldConfig } from "./config.ts";
import type { AuthorityStore } from "./custody.ts";
import { openFolder } from "./folder-store.ts";
import type { Delta, Mesh } from "./index/mesh.ts";
import { meshNamespace } from "./index/policies.ts";
import { judgeRoute } from "./index/route-verdict.ts";
import { exchangeReadings } from "./rotation/exchange.ts";
import type { ReadingExchange } from "./rotation/driver.ts";
import { openSecret } from "./secret-store.ts";
import type { Trust } from "./trust.ts";

export interface WorldSourceOptions {
  readonly config: Pick<
    ControllerConfig,
    "world" | "pod" | "trustDomain" | "caDirectory" | "keyEncryption"
  >;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Unpredictable. */
  readonly randomBytes: (length: number) => Uint8Array;
  readonly log: Log;
}

export interface WorldSource extends AsyncDisposable {
  /** The mesh's root and what the controller certifies with. Rejects with MeshError. */
  authorities(): Promise<AuthorityStore>;
  readonly reviewer: TokenReviewer;
  /** Watches until disposed of. */
  watch(onEvent: (event: WorldEvent) => void): AsyncDisposable;
  /** Tells the world the mesh's roots, and its objects' writers what becomes of them. */
  publish(trust: Watch<Trust>, mesh: Mesh, bundleOf: BundleOf): Publication;
}

/** How it stands with the bundle of a federated trust domain; null: nothing was fetched or tried yet. */
export type BundleOf = (trustDomain: TrustDomain) => BundleState | null;

export interface Publication extends AsyncDisposable {
  /** Of several controllers one writes, and drives rotations. */
  readonly isWriter: Watch<boolean>;
  readonly exchange: ReadingExchange;
  /** The index was compiled, and this came out different. */
  changed(delta: Pick<Delta, "changed" | "pods" | "policyNamespaces">): void;
}

function policyView({ policies }: Mesh): PolicyView {
  return {
    has: (key) => policies.has(key),
    rivalOf: (key) => policies.rivalOf(key),
    heldPods: (key) => policies.heldPods(key),
  };
}

function routeView(mesh: Mesh): RouteView {
  return {
    judge: (route) => judgeRoute(route, (service) => mesh.portsOf(service)),
    has: (key) => mesh.hasRoute(key),
  };
}

function publishedTexts({ stored, bundle, authority }: Trust): PublishedTexts {
  return {
    bundle: bundle.roots.map(toPem).join(""),
    links: stored.record.links.join(""),
    authority,
  };
}

/** Some two minutes in all. */
const patience = { baseMs: 250, maxMs: 5_000 } as const;
const attemptsMax = 30;
/** Only one of the replicas writes; its name is also that of its Lease. */
const leaseName = "signet-controller";

/** Rejects with KubernetesError when a kubeconfig cannot be used. */
export async function openWorld(options: WorldSourceOptions): Promise<WorldSource> {
  const { world } = options.config;
  return world.kind === "socket" ? socketWorld(world, options) : kubernetesWorld(world, options);
}

function socketWorld(
  { socketPath, tokenIssuer, tokenJwksFile }: WorldConfig & { readonly kind: "socket" },
  options: WorldSourceOptions,
): WorldSource {
  const { config, clock, random, log } = options;
  return {
    authorities: async () => {
      const wrapper = await openKeyWrapper(options);
      return openFolder({ folder: config.caDirectory ?? "", isShared: false, wrapper, clock, log });
    },
    reviewer: createJwksReviewer({
      issuer: tokenIssuer,
      readJwks: () => readFile(tokenJwksFile, "utf8"),
      clock,
    }),
    watch: (onEvent) => watchWorldSocket({ socketPath, clock, random, onEvent }),
    // There is one controller, and whoever runs it publishes what the folder says.
    publish: () =>
      Object.assign(new AsyncDisposableStack(), {
        isWriter: new Watch(true),
        exchange: { put() {}, others: () => [] },
        changed() {},
      }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function kubernetesWorld(
  { place }: WorldConfig & { readonly kind: "kubernetes" },
  options: WorldSourceOptions,
): Promise<WorldSource> {
  const { config, clock, random, randomBytes, log } = options;
  const client = createKubernetesClient(await openAccess(place, clock), clock);
  const parts = { client, clock, random };
  const review = createTokenReview({ client, clock });
  const { trustDomain, caDirectory } = config;
  return {
    async authorities() {
      const wrapper = await openKeyWrapper(options);
      if (caDirectory !== null) {
        return openFolder({ folder: caDirectory, isShared: true, wrapper, clock, log });
      }
      return patiently(() => openSecret({ ...parts, trustDomain, wrapper, log }), options);
    },
    reviewer: { authority: "token-review", review: (token) => review(token).catch(rethrow) },
    watch: (onEvent) => watchKubernetesWorld({ ...parts, onEvent }),
    publish(trust, mesh, bundleOf) {
      const stack = new AsyncDisposableStack();
      // A replica that comes back has its name again, and is not the one that held the lease.
      const identity = `${config.pod.name}_${Buffer.from(randomBytes(8)).toString("hex")}`;
      const namespace = meshNamespace;
      const writer = stack.use(joinLease({ ...parts, namespace, name: leaseName, identity, log }));
      const inNeed = (): ReadonlySet<string> | null =>
        mesh.isCurrent ? mesh.workloads.namespacesInNeed() : null;
      const bundles = stack.use(
        keepTrustBundles({
          ...parts,
          texts: () => publishedTexts(trust.get()),
          namespace,
          inNeed,
          writer,
          log,
        }),
      );
      stack.defer(trust.onChange(() => bundles.request()));
      const exchange = stack.use(
        exchangeReadings({ ...parts, namespace, controller: config.pod.name, log }),
      );
      const common = { ...parts, writer, log, isReady: () => mesh.isCompiled };
      const policies = stack.use(writePolicyStatus({ ...common, view: policyView(mesh) }));
      const routes = stack.use(writeRouteStatus({ ...common, view: routeView(mesh) }));
      const { suspensions } = mesh;
      const view = {
        isInForce: (name: string) => suspensions.isInForce(name),
        faultOf: (name: string) => suspensions.faultOf(name),
      };
      const suspended = stack.use(writeSuspensionStatus({ ...common, view }));
      const { federations } = mesh;
      const federationView = {
        isInForce: (name: string) => federations.inForce(name) !== null,
        faultOf: (name: string) => federations.faultOf(name),
        bundleOf(name: string) {
          const trustDomain = federations.inForce(name);
          return trustDomain === null ? null : bundleOf(trustDomain);
        },
      };
      const federated = stack.use(writeFederationStatus({ ...common, view: federationView }));
      return Object.assign(stack, {
        isWriter: writer.isHeld,
        exchange,
        changed(delta: Parameters<Publication["changed"]>[0]) {
          if (delta.pods.size > 0) bundles.request();
          if (delta.policyNamespaces === "all" || delta.policyNamespaces.size > 0) {
            policies.request();
          }
          if (delta.changed.some(({ kind }) => kind === "service")) routes.request();
          suspended.request();
          federated.request();
        },
      });
    },
    [Symbol.asyncDispose]() {
      client.close();
      return Promise.resolve();
    },
  };
}

/** Rejects with MeshError for a file that cannot be read, and for what is no key. */
async function openKeyWrapper({
  config: { keyEncryption },
  randomBytes,
}: WorldSourceOptions): Promise<KeyWrapper | null> {
  if (keyEncryption === null) return null;
  if ("keys" in keyEncryption) return localKeyWrapper(keyEncryption.keys, randomBytes);
  try {
    return localKeyWrapper(await readFile(keyEncryption.file, "utf8"), randomBytes);
  } catch (thrown) {
    if (thrown instanceof CaError) throw thrown;
    const isMissing = (thrown as { readonly code?: unknown } | null)?.code === "ENOENT";
    const reason = isMissing ? "there is no such file" : messageOf(thrown);
    const state = `Cannot read the key that keys are wrapped under, "${keyEncryption.file}": ${reason}`;
    throw new CaError("authority_sealed", state, {
      next:
        "Mount the file that SIGNET_KEY_ENCRYPTION_FILE names; " +
        "of signet install --wrapping-key NAME: kubectl -n signet-system create secret generic NAME --from-file=key",
      cause: thrown,
    });
  }
}

/** An API server that is still starting is waited for; all else is told at once. */
async function patiently<T>(
  work: () => Promise<T>,
  { clock, random, log }: Pick<WorldSourceOptions, "clock" | "random" | "log">,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const isAway = error instanceof KubernetesError && error.code === "unavailable";
      if (!isAway || attempt >= attemptsMax) throw error;
      log.warn("API server does not answer yet", { reason: messageOf(error) });
      await sleep(clock, backoffDelayMs(patience, attempt, random()));
    }
  }
}

/** The same words on both sides: nothing is lost. */
function rethrow(thrown: unknown): never {
  if (!(thrown instanceof TokenReviewError)) throw thrown;
  throw new CaError(thrown.code, thrown.message, { cause: thrown, next: thrown.next });
}
