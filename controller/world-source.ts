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
import { writePolicyStatus } from "#/cluster/kubernetes/policy-status.ts";
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
import { meshNamespace } from "./index/policies.ts";

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
  /** Tells the world the mesh's roots (DER), and its objects' writers what it thinks of them. */
  publish(roots: readonly Uint8Array[]): AsyncDisposable;
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
    publish: () => new AsyncDisposableStack(),
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
    reviewer: { review: (token) => review(token).catch(rethrow) },
    watch: (onEvent) => watchKubernetesWorld({ ...parts, onEvent }),
    publish(roots) {
      const stack = new AsyncDisposableStack();
      // A replica that comes back has its name again, and is not the one that held the lease.
      const identity = `${config.pod.name}_${Buffer.from(randomBytes(8)).toString("hex")}`;
      const namespace = meshNamespace;
      const writer = stack.use(joinLease({ ...parts, namespace, name: leaseName, identity, log }));
      const bundle = roots.map(toPem).join("");
      const bundlePem = (): string => bundle;
      stack.use(keepTrustBundles({ ...parts, bundlePem, namespace, writer, log }));
      stack.use(writePolicyStatus({ ...parts, writer, log }));
      return stack;
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
