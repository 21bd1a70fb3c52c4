// The controller put together: the world into the index, the index to the sidecars, the authority
// behind Issue. Wiring only: what anything does stands in its own file.
import { serveController } from "#/api/serve.ts";
import type { ControllerServer } from "#/api/rpc.ts";
import type { BundleState } from "#/cluster/kubernetes/federation-status.ts";
import { workloadId } from "#/identity/spiffe-id.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import { startAdmin } from "#/lib/admin.ts";
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import { aborted } from "#/lib/lifecycle.ts";
import type { Log } from "#/lib/log.ts";
import { Registry } from "#/lib/metrics.ts";
import type { OpenAuthority } from "./authority.ts";
import { openAuthority } from "./authority.ts";
import type { ControllerConfig } from "./config.ts";
import type { AuthorityStore } from "./custody.ts";
import { ExpiryWatch } from "./expiry-watch.ts";
import type { Delta } from "./index/mesh.ts";
import { Mesh } from "./index/mesh.ts";
import { controllerAccount, meshNamespace } from "./index/policies.ts";
import type { FederationKeeper } from "./federation/keeper.ts";
import { openFederation } from "./federation/open.ts";
import { declareMetrics } from "./metrics.ts";
import type { ControllerMetrics } from "./metrics.ts";
import { ownBundle } from "./own-bundle.ts";
import { OwnIdentity } from "./own-identity.ts";
import { startBundleEndpoint } from "./serve/bundle-endpoint.ts";
import { RotationDriver } from "./rotation/driver.ts";
import { authorityRoutes } from "./serve/authority.ts";
import { federationRoutes } from "./serve/federation.ts";
import { workloadDirectory } from "./serve/directory.ts";
import { DiscoveryHub } from "./serve/discovery.ts";
import { issue, issueJwt } from "./serve/identity.ts";
import { inspectRoutes } from "./serve/inspect.ts";
import { logFileRoutes } from "./serve/log-files.ts";
import { logRoutes } from "./serve/log.ts";
import { suspensionRoutes } from "./serve/suspensions.ts";
import { keepTokenKeys } from "./token-keys.ts";
import { TrustKeeper } from "./trust.ts";
import { WorldLoop } from "./world-loop.ts";
import { openWorld } from "./world-source.ts";

/** Sidecars that are told to go elsewhere need no longer than this. */
const drainMsMax = 2_000;
const drainStepMs = 50;

export interface ControllerOptions {
  readonly config: ControllerConfig;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Unpredictable. */
  readonly randomBytes: (length: number) => Uint8Array;
  readonly log: Log;
}

export interface Controller extends AsyncDisposable {
  /** Where gRPC and the admin server listen. */
  readonly grpcPort: number;
  readonly adminPort: number;
  /** Tells the sidecars to go elsewhere and waits, for a moment, until they have gone. */
  drain(): Promise<void>;
}

/** Runs until `signal` aborts, then drains. */
export async function runController(
  options: ControllerOptions,
  signal: AbortSignal,
): Promise<void> {
  await using controller = await startController(options);
  await aborted(signal);
  await controller.drain();
}

/** Rejects with MeshError when something that it needs is not there. */
export async function startController(options: ControllerOptions): Promise<Controller> {
  await using stack = new AsyncDisposableStack();
  const { config, clock, log } = options;
  const registry = new Registry();
  const metrics = declareMetrics(registry);
  const mesh = new Mesh(config.trustDomain);
  const directory = workloadDirectory(mesh);
  const world = stack.use(await openWorld(options));
  const { reviewer } = world;
  const store = stack.use(await world.authorities());
  const authority = { ...options, stored: store.stored.get(), reviewer, directory, registry };
  const opened = stack.use(await openAuthority(authority));
  const { trust } = opened;
  mesh.setBundle(trust.get().bundle);
  const hub = new DiscoveryHub({ mesh, clock, log, metrics });
  const bundleOf = (trustDomain: TrustDomain): BundleState | null => federation.state(trustDomain);
  const publication = stack.use(world.publish(trust, mesh, bundleOf));
  const publish = (delta: Delta): void => {
    hub.publish(delta);
    publication.changed(delta);
  };
  // Before the first sidecar is served: what it holds of others must not look withdrawn.
  const prepare = (): void => federation.follow(mesh.federations.federations);
  const loop = stack.use(new WorldLoop({ mesh, publish, prepare, clock, log, metrics }));
  const { random, randomBytes } = options;
  const common = { clock, random, randomBytes, log };
  const federation = stack.use(openFederation({ config, mesh, trust, loop, metrics, ...common }));
  trust.onChange(({ bundle }) => {
    mesh.setBundle(bundle);
    loop.request();
  });
  stack.use(keepTokenKeys({ mesh, jwt: opened.jwt, trust, loop, clock }));
  const { server, identity } = await serveSidecars({ options, opened, hub, mesh, metrics, stack });
  const { issuer, ledger } = opened;
  const renewOwn = (): Promise<void> => identity.renew();
  const keeper = stack.use(new TrustKeeper({ store, issuer, trust, renewOwn, clock, log }));
  const { exchange, isWriter: isDriver } = publication;
  // Others are told of a root by the bundle endpoint alone.
  const publishMs = (): number => {
    const isFollowed = config.bundlePort !== null && mesh.federations.federations.length > 0;
    return isFollowed ? config.bundleRefreshHintS * 1000 * 2 : 0;
  };
  const parts = { store, trust, keeper, ledger, hub, mesh, exchange, isDriver, publishMs };
  const rotation = stack.use(new RotationDriver({ ...parts, ...common, pod: config.pod }));
  stack.use(new ExpiryWatch({ trust, metrics, clock, log }));
  metrics.rotationWaiting.onCollect(() => {
    metrics.rotationWaiting.with().set(rotation.view().waiting.length);
  });
  const shown = { store, rotation, federation };
  const admin = await serveAdmin({ options, opened, hub, mesh, registry, stack, ...shown });
  stack.use(world.watch(loop.onEvent));
  log.info("controller started", { grpc_port: server.port, admin_port: admin.port });
  const held = stack.move();
  return {
    grpcPort: server.port,
    adminPort: admin.port,
    drain: () => drain(server, clock),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

interface Parts {
  readonly options: ControllerOptions;
  readonly opened: OpenAuthority;
  readonly hub: DiscoveryHub;
  readonly mesh: Mesh;
  readonly stack: AsyncDisposableStack;
}

async function serveSidecars({
  options,
  opened,
  hub,
  mesh,
  metrics,
  stack,
}: Parts & { readonly metrics: ControllerMetrics }): Promise<{
  readonly server: ControllerServer;
  readonly identity: OwnIdentity;
}> {
  const { config, clock, random, log } = options;
  const { authority, jwt, trust } = opened;
  const { trustDomain, pod } = config;
  const id = workloadId(trustDomain, meshNamespace, controllerAccount);
  const own = { id, pod: pod.name, podUid: pod.uid, address: pod.address };
  const identity = stack.use(await OwnIdentity.start({ authority, own, clock, random, log }));
  const credentialsOf = (svid: Svid) => {
    const { roots } = trust.get().bundle;
    return { svid, roots, trustDomain };
  };
  const server = stack.use(
    await serveController({
      port: config.grpcPort,
      credentials: credentialsOf(identity.svid.get()),
      handlers: {
        issue: (request, caller) => issue(authority, () => mesh.isCompiled, request, caller),
        issueJwt: (request, caller) => issueJwt(jwt, () => mesh.isCompiled, request, caller),
        subscribe: (stream) => hub.subscribe(stream),
      },
      clock,
      log,
      onCall: (method, outcome) => metrics.calls.with(method, outcome).add(),
      onRefused: (reason) => metrics.refusedConnections.with(reason).add(),
    }),
  );
  identity.svid.onChange((svid) => server.setCredentials(credentialsOf(svid)));
  trust.onChange(() => server.setCredentials(credentialsOf(identity.svid.get())));
  if (config.bundlePort !== null) {
    const { svid } = identity;
    const document = documentOf({ options, opened });
    const requests = metrics.bundleRequests;
    stack.use(await startBundleEndpoint({ port: config.bundlePort, svid, document, requests }));
  }
  metrics.connections.onCollect(() => metrics.connections.with().set(server.connectionCount()));
  metrics.ownCertificateEnd.onCollect(() => {
    metrics.ownCertificateEnd.with().set(identity.svid.get().notAfter / 1000);
  });
  return { server, identity };
}

function documentOf({ options, opened }: Pick<Parts, "options" | "opened">): () => string {
  const { config, clock } = options;
  const { trust, jwt } = opened;
  return () => ownBundle({ trust, jwt, clock, refreshHintS: config.bundleRefreshHintS });
}

async function serveAdmin({
  options,
  opened,
  hub,
  mesh,
  registry,
  stack,
  store,
  rotation,
  federation: keeper,
}: Parts & {
  readonly registry: Registry;
  readonly store: AuthorityStore;
  readonly rotation: RotationDriver;
  readonly federation: FederationKeeper;
}): Promise<{ port: number }> {
  const { config, log } = options;
  const ready = (): { ready: boolean; reason: string } =>
    mesh.isCompiled
      ? { ready: true, reason: "" }
      : { ready: false, reason: "the world is not listed yet" };
  const pod = config.pod.name;
  const { ledger, heads, trust } = opened;
  const issuer = () => opened.issuer.current();
  const logged = { ledger, heads, issuer, pod };
  const authority = authorityRoutes({
    trust: () => trust.get(),
    record: () => store.stored.get().record,
    rotation: () => rotation.view(),
    pod,
  });
  const routes = {
    ...inspectRoutes({ ledger, issuer, hub, mesh, pod }),
    ...authority,
    ...logRoutes(logged),
    ...logFileRoutes(logged),
    ...suspensionRoutes({ mesh, hub, pod }),
    ...federationRoutes({ keeper, mesh, hub, document: documentOf({ options, opened }), pod }),
  };
  const common = { registry, ready, log };
  stack.use(
    await startAdmin({ ...common, routes, listen: { socketPath: config.adminSocketPath } }),
  );
  if (config.inspectPort !== null) {
    const listen = { port: config.inspectPort, address: "127.0.0.1" };
    stack.use(await startAdmin({ ...common, routes, listen }));
  }
  // Without the routes: they are not for whoever may reach this port.
  return stack.use(await startAdmin({ ...common, listen: { port: config.adminPort } }));
}

async function drain(server: ControllerServer, clock: Clock): Promise<void> {
  server.drain();
  const endsAt = clock.monotonic() + drainMsMax;
  while (server.connectionCount() > 0 && clock.monotonic() < endsAt) {
    await sleep(clock, drainStepMs);
  }
}
