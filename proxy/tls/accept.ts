// The server side of mutual TLS between sidecars. A tls.Server that never listens: accepted sockets,
// whose first bytes were looked at and put back, are handed to it. Its credentials are swapped whole.
import type { Socket } from "node:net";
import { createServer } from "node:tls";
import type { Server, TLSSocket } from "node:tls";
import type { Watch } from "#/lib/watch.ts";
import { alpnProtocols } from "./credentials.ts";
import type { Credentials } from "./credentials.ts";

export interface AcceptedTls {
  readonly socket: TLSSocket;
  /** Those this handshake was made with. */
  readonly credentials: Credentials;
  readonly alpn: string;
}

type Accepted = (accepted: AcceptedTls) => void;
type Refused = (reason: "handshake_failed" | "handshake_timeout") => void;

interface Waiting {
  readonly credentials: Credentials;
  readonly accepted: Accepted;
  readonly refused: Refused;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;

export class TlsAcceptor {
  readonly #servers = new WeakMap<Credentials, Server>();
  readonly #credentials: Watch<Credentials | null>;
  readonly #waiting = new WeakMap<Socket, Waiting>();

  constructor(credentials: Watch<Credentials | null>) {
    this.#credentials = credentials;
  }

  /**
   * Takes `socket` over. Exactly one of the callbacks is called. The peer's chain has been verified
   * against the trust bundle by OpenSSL when `accepted` is; whose it is, `judgePeer` says.
   */
  accept(socket: Socket, accepted: Accepted, refused: Refused): void {
    const credentials = this.#credentials.get();
    if (credentials === null) return refused("handshake_failed");
    this.#waiting.set(socket, { credentials, accepted, refused });
    this.#serverOf(credentials).emit("connection", socket);
  }

  #serverOf(credentials: Credentials): Server {
    const known = this.#servers.get(credentials);
    if (known !== undefined) return known;
    const server = createServer({
      ...credentials.material,
      ca: [...credentials.material.ca],
      ALPNProtocols: [...alpnProtocols],
      requestCert: true,
      // Refused by OpenSSL before the handshake ends: no byte of an unverified peer is read.
      rejectUnauthorized: true,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      allowHalfOpen: true,
      noDelay: true,
    });
    server.on("secureConnection", (socket) => this.#secured(socket));
    server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
      const waiting = this.#take(socket);
      const timeout = error.code === "ERR_TLS_HANDSHAKE_TIMEOUT";
      waiting?.refused(timeout ? "handshake_timeout" : "handshake_failed");
      socket.destroy();
    });
    this.#servers.set(credentials, server);
    return server;
  }

  #secured(socket: TLSSocket): void {
    // Until its new owner listens, an error must not be without a listener.
    socket.on("error", () => {});
    const waiting = this.#take(socket);
    if (waiting === undefined) socket.destroy();
    else {
      const alpn = socket.alpnProtocol === false ? "" : (socket.alpnProtocol ?? "");
      waiting.accepted({ socket, credentials: waiting.credentials, alpn });
    }
  }

  #take(socket: TLSSocket): Waiting | undefined {
    const raw = rawSocketOf(socket);
    const waiting = this.#waiting.get(raw);
    this.#waiting.delete(raw);
    return waiting;
  }
}

/** The socket that a TLSSocket was wrapped around; Node keeps it as `_parent`. */
function rawSocketOf(socket: TLSSocket): Socket {
  return (socket as unknown as { _parent?: Socket })._parent ?? socket;
}
