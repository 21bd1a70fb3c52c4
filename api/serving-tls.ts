// The controller's TLS server: TLS 1.3 only, every connection a full handshake, client certificate
// asked for and, when shown, proven. What comes out is a socket and a Peer; who speaks on it, and
// what, is not known here. No connection outlives a certificate that it was opened with: before that
// it drains, at that moment it is cut.
import type { X509Certificate } from "node:crypto";
import net from "node:net";
import type { Socket } from "node:net";
import tls from "node:tls";
import { fingerprint } from "#/identity/bundle.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import { trustDomainOf } from "#/identity/spiffe-id.ts";
import { readLeaf } from "#/identity/svid.ts";
import type { Svid } from "#/identity/svid.ts";
import { chainLengthMax } from "#/identity/verify.ts";
import type { Clock } from "#/lib/clock.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { atTime } from "./deadline.ts";
import { contextOptions } from "./tls-context.ts";

export interface ServingCredentials {
  readonly svid: Svid;
  /** DER of the roots that a client certificate must lead to. */
  readonly roots: readonly Uint8Array[];
  /** Identities of any other trust domain are refused. */
  readonly trustDomain: TrustDomain;
}

/** Who is at the other end, as proven by TLS and by nothing else: no address is trusted. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  /** null: no certificate was shown. */
  readonly identity: SpiffeId | null;
  /** Serial of the certificate, hex; null without one. */
  readonly serial: string | null;
  /** SHA-256 of each authority above the certificate that was verified, lower-case hex. */
  readonly authorities: readonly string[];
}

/** What serves one connection. */
export interface Served {
  /** Ends gracefully: no new call, the open ones are told to go elsewhere. */
  drain(): void;
  /** Lets go of everything; the socket is destroyed already. */
  destroy(): void;
}

export interface ServingLimits {
  /** Connections in total, with those in handshake. */
  readonly connectionsMax: number;
  /** Connections from one address, so that one pod cannot take them all (attack case 51). */
  readonly connectionsPerAddressMax: number;
  readonly handshakeMs: number;
  /** Life of a connection that proved no identity: long enough to be issued one. */
  readonly anonymousLifeMs: number;
  /** How long before its end a connection drains; at most a quarter of its life. */
  readonly drainMs: number;
}

const servingLimits: ServingLimits = {
  connectionsMax: 4096,
  connectionsPerAddressMax: 32,
  handshakeMs: 10_000,
  anonymousLifeMs: 30_000,
  drainMs: 10_000,
};

export type ConnectionRefusal =
  | "connections_max"
  | "connections_per_address_max"
  | "handshake_failed"
  | "protocol_missing"
  | "session_resumed"
  | "certificate_unverified"
  | "certificate_invalid"
  | "trust_domain_foreign";

export interface TlsListenerOptions {
  /** Default: all addresses. */
  readonly address?: string;
  readonly port: number;
  readonly credentials: ServingCredentials;
  readonly limits?: Partial<ServingLimits>;
  readonly clock: Clock;
  readonly log: Log;
  readonly onConnection: (socket: tls.TLSSocket, peer: Peer) => Served;
  readonly onRefused?: (reason: ConnectionRefusal) => void;
}

export interface TlsListener extends AsyncDisposable {
  readonly port: number;
  /** For connections that come from now on; those open end with what they were opened with. */
  setCredentials(credentials: ServingCredentials): void;
  connectionCount(): number;
  /** Accepts nothing more and drains what is open. */
  drain(): void;
}

export class ServingError extends MeshError<"listen_failed"> {}

/** Listens; rejects with ServingError when the port cannot be had. */
export async function listenTls(options: TlsListenerOptions): Promise<TlsListener> {
  const listener = new Listener(options);
  await listener.listen();
  return listener;
}

interface Connection {
  readonly key: string;
  readonly socket: Socket;
  readonly address: string;
  /** Those of its handshake: they may be renewed before it has ended. */
  readonly credentials: ServingCredentials;
  served: Served | null;
}

interface Proof {
  readonly identity: SpiffeId | null;
  readonly serial: string | null;
  readonly authorities: readonly string[];
  /** The earlier end of both sides' certificates, milliseconds since the Unix epoch. */
  readonly endsAt: number;
}

interface Refused {
  readonly refusal: ConnectionRefusal;
  readonly detail: string;
}

class Listener implements TlsListener {
  readonly #options: TlsListenerOptions;
  readonly #limits: ServingLimits;
  /** Takes connections; only those within the limits reach `#tls`, which listens nowhere. */
  readonly #server: net.Server;
  readonly #tls: tls.Server;
  /** Keyed by both addresses and ports, which no two live connections share. */
  readonly #connections = new Map<string, Connection>();
  readonly #perAddress = new Map<string, number>();
  #credentials: ServingCredentials;

  constructor(options: TlsListenerOptions) {
    this.#options = options;
    this.#limits = { ...servingLimits, ...options.limits };
    this.#credentials = options.credentials;
    this.#server = net.createServer((socket) => this.#onTcp(socket));
    this.#tls = tls.createServer({
      ...contextOptions(options.credentials.svid, options.credentials.roots),
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
      handshakeTimeout: this.#limits.handshakeMs,
    });
    this.#tls.on("secureConnection", (socket) => this.#onSecure(socket));
    this.#tls.on("tlsClientError", (error, socket) => {
      this.#refuse(socket, "handshake_failed", messageOf(error));
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { port, address: host } = this.#options;
      const failed = (error: NodeJS.ErrnoException): void => reject(listenFailed(port, error));
      this.#server.once("error", failed);
      this.#server.listen(host === undefined ? { port } : { port, host }, () => {
        this.#server.off("error", failed);
        this.#server.on("error", (error) => {
          this.#options.log.error("listener failed", { reason: messageOf(error) });
        });
        resolve();
      });
    });
  }

  setCredentials(credentials: ServingCredentials): void {
    this.#tls.setSecureContext(contextOptions(credentials.svid, credentials.roots));
    this.#credentials = credentials;
  }

  connectionCount(): number {
    return this.#connections.size;
  }

  drain(): void {
    this.#server.close();
    for (const connection of this.#connections.values()) {
      if (connection.served === null) connection.socket.destroy();
      else connection.served.drain();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const { socket } of this.#connections.values()) socket.destroy();
    await closed;
  }

  #onTcp(socket: Socket): void {
    socket.on("error", ignore);
    const address = socket.remoteAddress ?? "";
    const fromHere = this.#perAddress.get(address) ?? 0;
    if (this.#connections.size >= this.#limits.connectionsMax) {
      return this.#refuse(socket, "connections_max", "");
    }
    if (fromHere >= this.#limits.connectionsPerAddressMax) {
      return this.#refuse(socket, "connections_per_address_max", "");
    }
    const key = keyOf(socket);
    const credentials = this.#credentials;
    const connection: Connection = { key, socket, address, credentials, served: null };
    this.#connections.set(connection.key, connection);
    this.#perAddress.set(address, fromHere + 1);
    socket.once("close", () => this.#forget(connection));
    this.#tls.emit("connection", socket);
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection.key);
    const left = (this.#perAddress.get(connection.address) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(connection.address);
    else this.#perAddress.set(connection.address, left);
    connection.served?.destroy();
  }

  #onSecure(socket: tls.TLSSocket): void {
    socket.on("error", ignore);
    const connection = this.#connections.get(keyOf(socket));
    if (connection === undefined || socket.destroyed) return void socket.destroy();
    if (socket.alpnProtocol !== "h2") return this.#refuse(socket, "protocol_missing", "");
    if (socket.isSessionReused()) return this.#refuse(socket, "session_resumed", "");
    const proof = this.#prove(socket, connection.credentials);
    if ("refusal" in proof) return this.#refuse(socket, proof.refusal, proof.detail);
    const { address } = connection;
    const { identity, serial, authorities } = proof;
    const peer: Peer = { address, port: socket.remotePort ?? 0, identity, serial, authorities };
    connection.served = this.#options.onConnection(socket, peer);
    this.#limitLife(connection, proof.endsAt);
  }

  /** The identity that TLS proved, or none when no certificate was shown, or why it is refused. */
  #prove(socket: tls.TLSSocket, credentials: ServingCredentials): Proof | Refused {
    const { svid, trustDomain } = credentials;
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) {
      const endsAt = this.#options.clock.now() + this.#limits.anonymousLifeMs;
      const earlier = Math.min(svid.notAfter, endsAt);
      return { identity: null, serial: null, authorities: [], endsAt: earlier };
    }
    if (!socket.authorized) {
      return { refusal: "certificate_unverified", detail: String(socket.authorizationError) };
    }
    try {
      const { id, serial, notAfter } = readLeaf(certificate.raw);
      if (trustDomainOf(id) !== trustDomain) return { refusal: "trust_domain_foreign", detail: id };
      const authorities = authoritiesAbove(certificate);
      return { identity: id, serial, authorities, endsAt: Math.min(svid.notAfter, notAfter) };
    } catch (thrown) {
      return { refusal: "certificate_invalid", detail: messageOf(thrown) };
    }
  }

  #limitLife(connection: Connection, endsAt: number): void {
    const { clock, log } = this.#options;
    const lifeMs = Math.max(0, endsAt - clock.now());
    const drainsAt = endsAt - Math.min(this.#limits.drainMs, lifeMs / 4);
    const cancelDrain = atTime(clock, drainsAt, () => connection.served?.drain());
    const cancelCut = atTime(clock, endsAt, () => {
      log.debug("connection cut at the end of its certificates", {
        "src.addr": connection.address,
      });
      connection.socket.destroy();
    });
    connection.socket.once("close", () => {
      cancelDrain();
      cancelCut();
    });
  }

  #refuse(socket: Socket, reason: ConnectionRefusal, detail: string): void {
    this.#options.log.info("connection refused", {
      "src.addr": socket.remoteAddress,
      reason,
      detail,
    });
    this.#options.onRefused?.(reason);
    socket.destroy();
  }
}

function listenFailed(port: number, cause: NodeJS.ErrnoException): ServingError {
  const isTaken = cause.code === "EADDRINUSE";
  return new ServingError(
    "listen_failed",
    `Cannot listen on port ${port}: ${cause.code ?? cause.message}`,
    { cause, next: isTaken ? "End the process that has it, or configure another port" : "" },
  );
}

/** As OpenSSL verified them, the root among them. */
function authoritiesAbove(leaf: X509Certificate): readonly string[] {
  const found: string[] = [];
  let above = leaf.issuerCertificate;
  while (above !== undefined && found.length < chainLengthMax) {
    found.push(fingerprint(above.raw));
    above = above.issuerCertificate;
  }
  return found;
}

function keyOf(socket: Socket): string {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** A socket's errors end in its close, where everything is let go of. */
function ignore(): void {}
