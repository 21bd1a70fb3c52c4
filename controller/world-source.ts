// Where the world comes from: the local runtime's socket with its keys for tokens, or a Kubernetes
// cluster that reviews tokens itself and is written to. Both are the same to the rest of the controller.
import { readFile } from "node:fs/promises";
import { createJwksReviewer } from "#/ca/attest.ts";
import type { TokenReviewer } from "#/ca/attest.ts";
import { CaError } from "#/ca/ca-error.ts";
import { openAccess } from "#/cluster/kubernetes/access.ts";
import { createKubernetesClient } from "#/cluster/kubernetes/client.ts";
import { KubernetesError } from "#/cluster/kubernetes/kubernetes-error.ts";
import { joinLease } from "#/cluster/kubernetes/lease.ts";
import type { PolicyView } from "#/cluster/kubernetes/policy-status.ts";
import { writePolicyStatus } from "#/cluster/kubernetes/policy-status.ts";
import type { RouteView } from "#/cluster/kubernetes/route-status.ts";
import { writeRouteStatus } from "#/cluster/kubernetes/route-status.ts";
import { writeSuspensionStatus } from "#/cluster/kubernetes/suspension-status.ts";
import { TokenReviewError, createTokenReview } from "#/cluster/kubernetes/token-review.ts";
import { keepTrustBundles } from "#/cluster/kubernetes/trust-bundle.ts";
import { watchKubernetesWorld } from "#/cluster/kubernetes/world.ts";
import type { WorldEvent } from "#/cluster/events.ts";
import { watchWorldSocket } from "#/cluster/world-socket.ts";
import { toPem } from "#/identity/bundle.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import type { ControllerConfig, WorldConfig } from "./config.ts";
import { openSecret, readFolder } from "./custody.ts";
import type { AuthorityMaterial } from "./custody.ts";
import type { Delta, Mesh } from "./index/mesh.ts";
import { meshNamespace } from "./index/policies.ts";
import { judgeRoute } from "./index/route-verdict.ts";

export interface WorldSourceOptions {
  readonly config: Pick<ControllerConfig, "world" | "pod" | "trustDomain" | "caDirectory">;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Unpredictable. */
  readonly randomBytes: (length: number) => Uint8Array;
  readonly log: Log;
}

export interface WorldSource extends AsyncDisposable {
  /** The mesh's root and what the controller certifies with. Rejects with MeshError. */
  custody(): Promise<AuthorityMaterial>;
  readonly reviewer: TokenReviewer;
  /** Watches until disposed of. */
  watch(onEvent: (event: WorldEvent) => void): AsyncDisposable;
  /** Tells the world the mesh's roots (DER), and its objects' writers what becomes of them. */
  publish(roots: readonly Uint8Array[], mesh: Mesh): Publication;
}

export interface Publication extends AsyncDisposable {
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
  { config, clock, random }: WorldSourceOptions,
): WorldSource {
  return {
    custody: () => readFolder(config.caDirectory ?? ""),
    reviewer: createJwksReviewer({
      issuer: tokenIssuer,
      readJwks: () => readFile(tokenJwksFile, "utf8"),
      clock,
    }),
    watch: (onEvent) => watchWorldSocket({ socketPath, clock, random, onEvent }),
    publish: () => Object.assign(new AsyncDisposableStack(), { changed() {} }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function kubernetesWorld(
  { place }: WorldConfig & { readonly kind: "kubernetes" },
  { config, clock, random, randomBytes, log }: WorldSourceOptions,
): Promise<WorldSource> {
  const client = createKubernetesClient(await openAccess(place, clock), clock);
  const parts = { client, clock, random };
  const review = createTokenReview({ client, clock });
  const { trustDomain, caDirectory } = config;
  return {
    custody: () =>
      caDirectory === null
        ? patiently(() => openSecret({ client, trustDomain, clock, log }), { clock, random, log })
        : readFolder(caDirectory),
    reviewer: { authority: "token-review", review: (token) => review(token).catch(rethrow) },
    watch: (onEvent) => watchKubernetesWorld({ ...parts, onEvent }),
    publish(roots, mesh) {
      const stack = new AsyncDisposableStack();
      // A replica that comes back has its name again, and is not the one that held the lease.
      const identity = `${config.pod.name}_${Buffer.from(randomBytes(8)).toString("hex")}`;
      const namespace = meshNamespace;
      const writer = stack.use(joinLease({ ...parts, namespace, name: leaseName, identity, log }));
      const bundle = roots.map(toPem).join("");
      const bundlePem = (): string => bundle;
      const inNeed = (): ReadonlySet<string> | null =>
        mesh.isCurrent ? mesh.workloads.namespacesInNeed() : null;
      const bundles = stack.use(
        keepTrustBundles({ ...parts, bundlePem, namespace, inNeed, writer, log }),
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
      return Object.assign(stack, {
        changed(delta: Parameters<Publication["changed"]>[0]) {
          if (delta.pods.size > 0) bundles.request();
          if (delta.policyNamespaces === "all" || delta.policyNamespaces.size > 0) {
            policies.request();
          }
          if (delta.changed.some(({ kind }) => kind === "service")) routes.request();
          suspended.request();
        },
      });
    },
    [Symbol.asyncDispose]() {
      client.close();
      return Promise.resolve();
    },
  };
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
