// The SPIFFE Workload API of the pod, for applications that do mutual TLS by themselves. They are given an
// identity of the pod with a key of its own: the sidecar's key never leaves its memory, so that no process
// of the pod can speak as the sidecar, nor read what it spoke. Both are issued in the same way, and both
// stand in the log.
import type { Socket } from "node:net";
import { serveWorkload } from "#/api/serve-workload.ts";
import type { FederatedBundles, TrustBundle } from "#/api/discovery.ts";
import { RpcError } from "#/api/rpc-error.ts";
import type { WorkloadHandlers } from "#/api/workload.ts";
import type { JwtAuthority } from "#/identity/jwt-svid.ts";
import type { Svid } from "#/identity/svid.ts";
import { assert } from "#/lib/assert.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import type { WorkloadApiConfig } from "../config.ts";
import { Certifier } from "../control/certify.ts";
import type { CertifierOptions } from "../control/certify.ts";
import { listenUnix } from "../net/listen-unix.ts";
import type { UnixListener } from "../net/listen-unix.ts";
import { peerCredentials } from "../net/peer-credentials.ts";
import type { ProxyMetrics } from "../observe/metrics.ts";
import { mendAuthority } from "./authority.ts";
import { answersOf, noAnswers, workloadHandlers } from "./answers.ts";
import type { Answers } from "./answers.ts";
import { judgePeer } from "./peer.ts";
import type { PeerRules } from "./peer.ts";
import { TokenSource } from "./tokens.ts";

/**
 * Sooner than the sidecar's own: who rotates the mesh's authorities sees only that one, and takes it for the
 * sign that the pod has followed.
 */
const hastenBackoff = { baseMs: 2_000, maxMs: 120_000 } as const;

/** Connections at once. A client library holds one; each connection may have 16 streams. */
export const workloadConnectionsMax = 64;
/** Of those, connections that are only told why they are served nothing. */
export const refusedConnectionsMax = 8;

export interface WorkloadApiOptions extends Omit<CertifierOptions, "metrics"> {
  readonly socketPath: string;
  readonly peers: PeerRules;
  readonly metrics: Pick<
    ProxyMetrics,
    | "workloadCertificatesIssued"
    | "workloadCertificateFailures"
    | "workloadCertificateNotAfter"
    | "workloadCalls"
    | "workloadConnections"
    | "workloadConnectionsRefused"
  >;
}

/** As the pod's environment asks for it; rejects with ListenError. */
export function startWorkloadApi(
  { socketPath, users }: WorkloadApiConfig,
  options: Omit<WorkloadApiOptions, "socketPath" | "peers">,
): Promise<WorkloadApi> {
  const peers = { ownUser: process.getuid?.() ?? 0, users };
  return WorkloadApi.start({ ...options, socketPath, peers });
}

export class WorkloadApi {
  readonly #options: WorkloadApiOptions;
  readonly #certifier: Certifier;
  readonly #answers = new Watch<Answers>(noAnswers);
  readonly #connections = new Map<Socket, { drain(): void; destroy(): void }>();
  readonly #handlers: WorkloadHandlers;
  #jwtAuthorities: readonly JwtAuthority[] = [];
  #federated: FederatedBundles = new Map();
  #refusedConnections = 0;
  #listener: UnixListener | null = null;

  /** Listens and asks for a first certificate; rejects with ListenError. */
  static async start(options: WorkloadApiOptions): Promise<WorkloadApi> {
    const api = new WorkloadApi(options);
    try {
      await api.#listen();
    } catch (error) {
      api.#certifier.stop();
      throw error;
    }
    return api;
  }

  private constructor(options: WorkloadApiOptions) {
    const { metrics, log } = options;
    this.#options = options;
    this.#certifier = new Certifier({
      ...options,
      hasten: hastenBackoff,
      metrics: {
        certificatesIssued: metrics.workloadCertificatesIssued,
        certificateFailures: metrics.workloadCertificateFailures,
      },
      log: ofWorkload(log),
    });
    this.#certifier.svid.onChange(() => this.#update());
    const { config, ownId, connect, clock } = options;
    const { tokenFile, trustDomain } = config;
    const authorities = (): readonly JwtAuthority[] => this.#jwtAuthorities;
    this.#handlers = workloadHandlers({
      answers: this.#answers,
      trustDomain,
      ownId,
      authorities,
      federated: () => this.#federated,
      tokens: new TokenSource({
        tokenFile,
        ownId,
        trustDomain,
        authorities,
        connect: () => connect(this.#certifier.roots(), null),
        clock,
      }),
      clock,
    });
    metrics.workloadCertificateNotAfter.onCollect(() => {
      metrics.workloadCertificateNotAfter.with().set((this.svid?.notAfter ?? 0) / 1000);
      metrics.workloadConnections.with().set(this.#connections.size);
    });
  }

  /** What is handed out now. */
  get svid(): Svid | null {
    return this.#certifier.svid.get();
  }

  /** Takes the bundles of the authenticated stream over. Nothing else may call this. */
  trust(
    bundle: Pick<TrustBundle, "roots" | "authority">,
    jwtAuthorities: readonly JwtAuthority[],
    federated: FederatedBundles,
  ): void {
    this.#certifier.trust(bundle);
    this.#jwtAuthorities = jwtAuthorities;
    this.#federated = federated;
    this.#update();
  }

  /** Tells clients to come back later, and takes none any more. */
  drain(): void {
    this.#listener?.close();
    this.#answers.set(noAnswers);
    for (const served of this.#connections.values()) served.drain();
  }

  stop(): void {
    this.#listener?.close();
    this.#certifier.stop();
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #update(): void {
    const { trustDomain } = this.#options.config;
    const roots = this.#certifier.roots();
    const previous = this.#answers.get();
    const jwtAuthorities = this.#jwtAuthorities;
    const bundles = { trustDomain, roots, jwtAuthorities, federated: this.#federated };
    this.#answers.set(answersOf(this.svid, bundles, previous));
  }

  async #listen(): Promise<void> {
    const { socketPath, metrics, log } = this.#options;
    const refused = metrics.workloadConnectionsRefused;
    this.#listener = await listenUnix({
      path: socketPath,
      connectionsMax: workloadConnectionsMax,
      onConnection: (socket) => this.#accept(socket),
      onOverflow: () => refused.with("overflow").add(),
    });
    log.info("workload api listens", { path: socketPath });
  }

  #accept(socket: Socket): void {
    const { peers, metrics, log } = this.#options;
    const peer = peerCredentials(socket);
    const refused = judgePeer(peer, peers);
    if (refused !== null) {
      const { reason } = refused;
      metrics.workloadConnectionsRefused.with(reason).add();
      log.warn("workload api refused", { reason, uid: peer?.uid, gid: peer?.gid, pid: peer?.pid });
    }
    const isBeyond = refused !== null && this.#refusedConnections >= refusedConnectionsMax;
    const mended = isBeyond ? null : mendAuthority(socket);
    if (mended === null) {
      metrics.workloadConnectionsRefused.with("overflow").add();
      socket.destroy();
      return;
    }
    const served = serveWorkload(mended, {
      handlers: this.#handlers,
      refusal: refused === null ? null : new RpcError("permission_denied", refused.message),
      onCall: (method, outcome) => metrics.workloadCalls.with(method, outcome).add(),
    });
    assert(!this.#connections.has(socket), "a socket is accepted once");
    this.#connections.set(socket, served);
    if (refused !== null) this.#refusedConnections += 1;
    socket.once("close", () => {
      this.#connections.delete(socket);
      if (refused !== null) this.#refusedConnections -= 1;
      served.destroy();
    });
  }
}

/** Two certificates of one identity are renewed by one process: the log tells them apart. */
function ofWorkload(log: Log): Log {
  const at =
    (level: keyof Log): Log["info"] =>
    (message, fields) =>
      log[level](`workload ${message}`, fields);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
