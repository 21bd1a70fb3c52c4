// The server side of mutual TLS between sidecars. A tls.Server that never listens: accepted sockets,
// whose first bytes were looked at and put back, are handed to it. Its credentials are swapped whole.
import type { Socket } from "node:net";
import { createServer } from "node:tls";
import type { Server, TLSSocket } from "node:tls";
import type { Clock } from "#/lib/clock.ts";
import type { Watch } from "#/lib/watch.ts";
import { rawSocketOf } from "../net/reset.ts";
import { alpnProtocols } from "./credentials.ts";
import type { Credentials } from "./credentials.ts";
import { chooseGroup } from "./key-exchange.ts";
import { inNextTurn } from "./next-turn.ts";
import { judgePeer } from "./peer.ts";
import type { Peer, PeerFault } from "./peer.ts";

export interface AcceptedTls {
  readonly socket: TLSSocket;
  /** Those this handshake was made with. */
  readonly credentials: Credentials;
  readonly alpn: string;
  /** Verified: chain, times, SPIFFE rules, trust domain. */
  readonly peer: Peer;
}

export type AcceptRefusal = "handshake_failed" | "handshake_timeout" | PeerFault;

type Accepted = (accepted: AcceptedTls) => void;
type Refused = (reason: AcceptRefusal, detail: string) => void;

interface Waiting {
  readonly credentials: Credentials;
  readonly group: string;
  readonly accepted: Accepted;
  readonly refused: Refused;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;

export class TlsAcceptor {
  /** By the one group that a server agrees on keys in. */
  readonly #servers = new WeakMap<Credentials, Map<string, Server>>();
  readonly #credentials: Watch<Credentials | null>;
  readonly #waiting = new WeakMap<Socket, Waiting>();

  readonly #clock: Pick<Clock, "now">;
  readonly #protocols: readonly string[];

  /** `protocols` as it prefers them. */
  constructor(
    credentials: Watch<Credentials | null>,
    clock: Pick<Clock, "now">,
    protocols: readonly string[] = alpnProtocols,
  ) {
    this.#clock = clock;
    this.#protocols = protocols;
    this.#credentials = credentials;
  }

  /**
   * Takes `socket` over, whose ClientHello offers these groups. Exactly one of the callbacks is called; `accepted`
   * only for a peer that proved an identity of the trust domain, or of a federated one by its own roots. What is refused has been closed.
   */
  accept(socket: Socket, offered: readonly number[], accepted: Accepted, refused: Refused): void {
    const credentials = this.#credentials.get();
    if (credentials === null) {
      socket.destroy();
      refused("handshake_failed", "no certificate of our own");
      return;
    }
    const group = chooseGroup(offered);
    this.#waiting.set(socket, { credentials, group, accepted, refused });
    this.#serverOf(credentials, group).emit("connection", socket);
  }

  #serverOf(credentials: Credentials, group: string): Server {
    const servers = this.#servers.get(credentials) ?? new Map<string, Server>();
    this.#servers.set(credentials, servers);
    const known = servers.get(group);
    if (known !== undefined) return known;
    const server = createServer({
      ...credentials.material,
      ca: [...credentials.material.ca],
      ALPNProtocols: [...this.#protocols],
      ecdhCurve: group,
      requestCert: true,
      // Node would close without a word; #secured judges, and nobody reads a byte before it.
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      allowHalfOpen: true,
      noDelay: true,
    });
    server.on("secureConnection", (socket) => this.#secured(socket));
    server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
      const waiting = this.#take(socket);
      const timeout = error.code === "ERR_TLS_HANDSHAKE_TIMEOUT";
      socket.destroy();
      waiting?.refused(timeout ? "handshake_timeout" : "handshake_failed", error.code ?? "");
    });
    servers.set(group, server);
    return server;
  }

  #secured(socket: TLSSocket): void {
    // Until its new owner listens, an error must not be without a listener.
    socket.on("error", () => {});
    const waiting = this.#take(socket);
    if (waiting === undefined) {
      socket.destroy();
      return;
    }
    const { credentials, group } = waiting;
    const { trustDomain, foreign } = credentials;
    const now = this.#clock.now();
    const verdict = judgePeer(socket, { trustDomain, expected: null, foreign, group, now });
    if (verdict.kind === "fault") {
      socket.destroy();
      waiting.refused(verdict.fault, verdict.detail);
      return;
    }
    const alpn = socket.alpnProtocol === false ? "" : (socket.alpnProtocol ?? "");
    inNextTurn(
      socket,
      () => waiting.accepted({ socket, credentials, alpn, peer: verdict.peer }),
      () => waiting.refused("handshake_failed", "closed"),
    );
  }

  #take(socket: TLSSocket): Waiting | undefined {
    const raw = rawSocketOf(socket);
    const waiting = this.#waiting.get(raw);
    this.#waiting.delete(raw);
    return waiting;
  }
}
