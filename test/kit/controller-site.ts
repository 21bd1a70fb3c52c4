// A controller as it ships, in process, with all that it needs around it: a world on a Unix socket, an
// authority on disk, tokens, and sidecars that are issued certificates and subscribe.
import { generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import type { Server, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { connectController } from "#/api/connect.ts";
import type { Update } from "#/api/discovery.ts";
import type { RpcError } from "#/api/rpc-error.ts";
import type { ControllerConnection } from "#/api/rpc.ts";
import { applyUpdate, emptySnapshot, heldResources } from "#/api/snapshot.ts";
import type { Snapshot } from "#/api/snapshot.ts";
import type { AuthorityKeys } from "#/ca/authority-certificate.ts";
import { ensureDevelopmentCertificates } from "#/certs-dev/make.ts";
import type { Controller } from "#/controller/app.ts";
import { startController } from "#/controller/app.ts";
import { readControllerConfig } from "#/controller/config.ts";
import { createCsr } from "#/identity/csr.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";
import type { Log } from "#/lib/log.ts";
import { TokenSigner, tokenIssuer } from "#/local/pod/tokens.ts";

const trustDomain = parseTrustDomain("cluster.local");
const controllerId = parseSpiffeId("spiffe://cluster.local/ns/signet-system/sa/signet-controller");
export const podObject: object = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "a-1",
    namespace: "app-a",
    uid: "uid-a",
    annotations: { "signet.dev/status": "injected" },
  },
  spec: { serviceAccountName: "app-a" },
  status: { podIP: "127.0.0.1", phase: "Running" },
};
export const policyObject = (mode: string): object => ({
  apiVersion: "signet.dev/v1alpha1",
  kind: "PeerAuthentication",
  metadata: { name: "default", namespace: "app-a" },
  spec: { mtls: { mode } },
});
export const added = (object: object): object => ({ type: "ADDED", object });
export const synced: object = { type: "SYNCED" };

/** A world, an authority, tokens, and controllers that start in them. */
export class Site implements AsyncDisposable {
  readonly folder: string = mkdtempSync(path.join(tmpdir(), "signet-controller-"));
  readonly signer: TokenSigner = new TokenSigner(() => Date.now());
  root!: Uint8Array;
  #world: Server | null = null;
  #watchers: ServerResponse[] = [];

  /** `keys` are those of the root and the intermediate. */
  static async create(keys: AuthorityKeys = "p-256"): Promise<Site> {
    const site = new Site();
    const folder = path.join(site.folder, "ca");
    const { root } = await ensureDevelopmentCertificates(folder, trustDomain, { keys });
    site.root = root.certificate;
    writeFileSync(path.join(site.folder, "jwks.json"), await site.signer.jwks());
    return site;
  }

  async serveWorld(...lines: readonly object[]): Promise<void> {
    this.#world = createServer((_request, response) => {
      this.#watchers.push(response);
      response.writeHead(200);
      for (const line of lines) response.write(`${JSON.stringify(line)}\n`);
    });
    await new Promise<void>((resolve) => this.#world?.listen(this.#path("world.sock"), resolve));
  }

  say(line: object): void {
    for (const watcher of this.#watchers) watcher.write(`${JSON.stringify(line)}\n`);
  }

  async stopWorld(): Promise<void> {
    this.#world?.closeAllConnections();
    await new Promise((resolve) => this.#world?.close(resolve) ?? resolve(undefined));
    this.#world = null;
  }

  start(environment: Record<string, string> = {}, log: Log = silentLog): Promise<Controller> {
    const config = readControllerConfig({
      SIGNET_CA_DIRECTORY: this.#path("ca"),
      SIGNET_DATA_DIRECTORY: this.#path("data"),
      SIGNET_WORLD: `unix:${this.#path("world.sock")}`,
      SIGNET_TOKEN_ISSUER: tokenIssuer,
      SIGNET_TOKEN_JWKS_FILE: this.#path("jwks.json"),
      SIGNET_ADMIN_SOCKET: this.#path("admin.sock"),
      POD_NAME: "signet-controller-0",
      ...environment,
    });
    const ports = { grpcPort: 0, adminPort: 0 };
    const options = { config: { ...config, ...ports }, clock: systemClock, log };
    return startController({ ...options, random: () => 0.5, randomBytes });
  }

  token(change: { audience?: string; uid?: string } = {}): Promise<string> {
    return this.signer.sign({
      audience: change.audience ?? "signet-ca",
      lifetimeSeconds: 600,
      namespace: "app-a",
      serviceAccount: { name: "app-a", uid: "uid-sa" },
      pod: { name: "a-1", uid: change.uid ?? "uid-a" },
    });
  }

  connect(
    controller: Controller,
    svid: Svid | null = null,
    root: Uint8Array = this.root,
  ): ControllerConnection {
    return connectController({
      address: `127.0.0.1:${controller.grpcPort}`,
      roots: [root],
      svid,
      expectedIdentity: controllerId,
      clock: systemClock,
    });
  }

  /** `root`: what is trusted, when it is not the first one any more. */
  async issue(controller: Controller, held?: string, root?: Uint8Array): Promise<Svid> {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const token = held ?? (await this.token());
    const csr = createCsr(privateKey, { token });
    const connection = this.connect(controller, null, root);
    try {
      const request = { csr, token, lifetimeS: 0, serving: false };
      const answer = await connection.issue(request, 5000);
      const leaf = new X509Certificate(answer.certificateChain[0]!);
      return {
        id: parseSpiffeId(leaf.subjectAltName?.replace("URI:", "") ?? ""),
        chain: answer.certificateChain,
        privateKey,
        notBefore: leaf.validFromDate.getTime(),
        notAfter: answer.notAfter,
        serial: leaf.serialNumber.toLowerCase(),
        logIndex: answer.receipt.index,
      };
    } finally {
      connection.close();
    }
  }

  /** Subscribes as the pod's sidecar would, and keeps what comes. */
  async subscribe(controller: Controller, from: Snapshot = emptySnapshot): Promise<Sidecar> {
    const connection = this.connect(controller, await this.issue(controller));
    return new Sidecar(connection, from);
  }

  async get(url: string): Promise<{ status: number; body: string }> {
    const { status, bytes } = await this.getBytes(url);
    return { status, body: bytes.toString("utf8") };
  }

  getBytes(url: string): Promise<{ readonly status: number; readonly bytes: Buffer }> {
    return new Promise((resolve, reject) => {
      const asked = httpRequest({ socketPath: this.#path("admin.sock"), path: url }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, bytes: Buffer.concat(chunks) }),
        );
      });
      asked.on("error", reject);
      asked.end();
    });
  }

  adminSocketMode(): number {
    return statSync(this.#path("admin.sock")).mode & 0o777;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopWorld();
    rmSync(this.folder, { recursive: true });
  }

  #path(name: string): string {
    return path.join(this.folder, name);
  }
}

export class Sidecar {
  snapshot: Snapshot;
  readonly updates: Update[] = [];
  ended: RpcError | null = null;
  readonly #connection: ControllerConnection;

  constructor(connection: ControllerConnection, from: Snapshot) {
    this.#connection = connection;
    this.snapshot = { ...from, synced: false };
    const pod = { podNamespace: "app-a", podName: "a-1", podUid: "uid-a" };
    const subscription = connection.subscribe(
      { ...pod, held: heldResources(from) },
      {
        onUpdate: (update) => {
          this.updates.push(update);
          this.snapshot = applyUpdate(this.snapshot, update);
          subscription.ack(update.sequence);
        },
        onEnd: (error) => (this.ended = error),
      },
    );
  }

  close(): void {
    this.#connection.close();
  }
}

/** Resolves when the controller says that it is ready. */
export const ready = (site: Site): Promise<void> =>
  new Promise((resolve, reject) => {
    const ask = (left: number): void => {
      site.get("/readyz").then(({ status }) => {
        if (status === 200) resolve();
        else if (left === 0) reject(new Error("It does not become ready"));
        else setTimeout(ask, 20, left - 1);
      }, reject);
    };
    ask(200);
  });
