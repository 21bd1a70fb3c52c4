// The wiring of the controller, and nothing else: the world feeds the index, the index feeds the
// streams, the CA issues for those whom the index knows.
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { serveController } from "#/api/serve.ts";
import type { ServingCredentials } from "#/api/serving-tls.ts";
import { createJwksReviewer } from "#/ca/attest.ts";
import type { WorkloadDirectory } from "#/ca/attest.ts";
import { readAuthority } from "#/ca/authority-pem.ts";
import { IssuerSource } from "#/ca/issuer.ts";
import { openLedger } from "#/ca/ledger.ts";
import { createCaMetrics } from "#/ca/metrics.ts";
import { CertificateAuthority } from "#/ca/service.ts";
import { watchWorldSocket } from "#/cluster/world-socket.ts";
import { parsePem } from "#/identity/bundle.ts";
import { workloadId } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import { startAdmin } from "#/lib/admin.ts";
import type { Clock } from "#/lib/clock.ts";
import { aborted } from "#/lib/lifecycle.ts";
import type { Log } from "#/lib/log.ts";
import { Registry } from "#/lib/metrics.ts";
import type { ControllerConfig } from "./config.ts";
import { Mesh } from "./index/mesh.ts";
import { isLive } from "./index/workloads.ts";
import { declareMetrics } from "./metrics.ts";
import { keepOwnIdentity } from "./own-identity.ts";
import { DiscoveryHub } from "./serve/discovery.ts";
import { issue } from "./serve/identity.ts";
import { inspectRoutes } from "./serve/inspect.ts";
import { followWorld } from "./world.ts";

export interface ControllerOptions {
  readonly config: ControllerConfig;
  readonly pod: { readonly name: string; readonly address: string };
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

const systemNamespace = "signet-system";
const controllerAccount = "signet-controller";

/** Runs until `signal` aborts. Rejects with MeshError when it cannot start. */
export async function runController(
  options: ControllerOptions,
  signal: AbortSignal,
): Promise<void> {
  const { config, pod, clock, random, log } = options;
  const { trustDomain } = config;
  const registry = new Registry();
  const metrics = declareMetrics(registry);
  await using resources = new AsyncDisposableStack();

  const pem = (name: string): string => readFileSync(path.join(config.caDirectory, name), "utf8");
  const roots = parsePem(pem("root.crt"));
  const issuer = await IssuerSource.start({
    trustDomain,
    intermediate: readAuthority(pem("intermediate.crt"), pem("intermediate.key")),
    roots,
    clock,
    randomBytes,
    random,
    log,
  });
  resources.defer(() => issuer.stop());
  mkdirSync(config.dataDirectory, { recursive: true, mode: 0o700 });
  const ledger = resources.use(openLedger(path.join(config.dataDirectory, "ledger.sqlite")));

  const mesh = new Mesh(trustDomain);
  mesh.setBundle({ trustDomain, roots });
  const authority = new CertificateAuthority({
    issuer,
    attestation: {
      reviewer: createJwksReviewer({
        issuer: config.tokenIssuer,
        readJwks: () => readFile(config.tokenJwksFile, "utf8"),
        clock,
      }),
      directory: directoryOf(mesh),
      trustDomain,
    },
    ledger,
    metrics: createCaMetrics(registry),
    roots,
    lifetimeDefaultS: config.svidLifetimeS,
    clock,
    randomBytes,
    log,
  });
  const hub = new DiscoveryHub({ mesh, clock, log, metrics });
  const world = followWorld({ mesh, hub, metrics, clock, log });
  resources.use(
    watchWorldSocket({ socketPath: config.worldSocketPath, clock, random, onEvent: world.onEvent }),
  );

  const credentialsOf = (svid: Svid): ServingCredentials => ({ svid, roots, trustDomain });
  const id = workloadId(trustDomain, systemNamespace, controllerAccount);
  const workload = { id, pod: pod.name, podUid: pod.name, address: pod.address };
  const own = resources.use(
    await keepOwnIdentity({ authority, workload, clock, random, log }, (svid) => {
      server.setCredentials(credentialsOf(svid));
      metrics.ownCertificateEnd.with().set(svid.notAfter / 1000);
    }),
  );
  metrics.ownCertificateEnd.with().set(own.first.notAfter / 1000);
  const server = await serveController({
    port: config.grpcPort,
    credentials: credentialsOf(own.first),
    handlers: {
      issue: (request, caller) => issue(authority, request, caller),
      subscribe: (stream) => hub.subscribe(stream),
    },
    clock,
    log,
    onRefused: (reason) => metrics.refusedConnections.with(reason).add(),
    onCall: (method, outcome) => metrics.calls.with(method, outcome).add(),
  });
  resources.use(server);
  metrics.connections.onCollect(() => metrics.connections.with().set(server.connectionCount()));

  const ready = () =>
    mesh.isSynced
      ? { ready: true, reason: "" }
      : { ready: false, reason: "the world has not been listed yet" };
  resources.use(await startAdmin({ listen: { port: config.adminPort }, registry, ready, log }));
  const routes = inspectRoutes({ ledger, mesh, hub, issuerChain: () => issuer.current().chain });
  const listen = { socketPath: config.adminSocketPath };
  resources.use(await startAdmin({ listen, registry, ready, routes, log }));
  log.info("started", { id, port: server.port });
  await aborted(signal);
  server.drain();
}

/** What the CA may know of the world. */
function directoryOf(mesh: Mesh): WorkloadDirectory {
  return {
    pod(namespace, name) {
      const pod = mesh.workloads.get(`${namespace}/${name}`);
      if (pod === undefined) return null;
      return {
        uid: pod.meta.uid,
        serviceAccount: pod.serviceAccount,
        addresses: pod.address === "" || pod.hostNetwork ? [] : [pod.address],
        isLive: isLive(pod),
      };
    },
  };
}
