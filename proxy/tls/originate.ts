// The client side of mutual TLS between sidecars: dials an endpoint and accepts it only when it proves
// the very SPIFFE ID that the controller names for it. Host names play no part in that.
import { connect as dial } from "node:net";
import { connect } from "node:tls";
import type { ConnectionOptions, SecureContext, TLSSocket } from "node:tls";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import { trustDomainOf } from "#/identity/spiffe-id.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Credentials } from "./credentials.ts";
import { isPostQuantum } from "./key-exchange.ts";
import { inNextTurn } from "./next-turn.ts";
import { judgePeer } from "./peer.ts";
import type { Peer } from "./peer.ts";

export interface OriginateOptions {
  readonly address: string;
  readonly port: number;
  readonly credentials: Credentials;
  readonly expected: SpiffeId;
  /** What is offered to be spoken; the other end chooses. */
  readonly protocols: readonly string[];
  /** Keys have to be agreed on in a group that a quantum computer does not break. */
  readonly requiresPostQuantum: boolean;
  /** From dialling to the end of the handshake. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export type OriginateFault =
  | "connect_refused"
  | "connect_failed"
  | "connect_timeout"
  | "tls_failed"
  | "identity_refused"
  | "trust_domain_not_federated"
  | "key_exchange_classical";

export interface OriginateFailure {
  readonly fault: OriginateFault;
  /** A PeerFault, or what the system says. */
  readonly detail: string;
}

/**
 * Exactly one of the callbacks is called, never from within. The socket comes paused in nothing; its alpnProtocol is
 * one of those offered.
 */
export function originate(
  options: OriginateOptions,
  connected: (socket: TLSSocket, peer: Peer) => void,
  failed: (failure: OriginateFailure) => void,
): void {
  const { address, port, credentials, expected, protocols } = options;
  const trustDomain = trustDomainOf(expected);
  const context = contextFor(trustDomain, credentials);
  if (context === null) {
    process.nextTick(failed, { fault: "trust_domain_not_federated", detail: trustDomain });
    return;
  }
  let over = false;
  let dialled = false;
  const raw = dial({ host: address, port, allowHalfOpen: true });
  const tls: ConnectionOptions & { allowHalfOpen: boolean } = {
    // A socket of our own below, so that it can be reset.
    socket: raw,
    secureContext: context,
    ALPNProtocols: [...protocols],
    // The chain is verified against the bundle of the trust domain that is expected; a name in it means nothing.
    rejectUnauthorized: true,
    checkServerIdentity: () => undefined,
    allowHalfOpen: true,
  };
  const socket = connect(tls);
  const fail = (fault: OriginateFault, detail: string): void => {
    if (over) return;
    over = true;
    cancel();
    socket.destroy();
    failed({ fault, detail });
  };
  const cancel = options.clock.after(options.timeoutMs, () => fail("connect_timeout", ""));
  raw.once("connect", () => {
    dialled = true;
  });
  const onError = (error: NodeJS.ErrnoException): void => {
    const code = error.code ?? "failed";
    if (code === "ECONNREFUSED") fail("connect_refused", code);
    else fail(dialled ? "tls_failed" : "connect_failed", code);
  };
  raw.on("error", onError);
  socket.on("error", onError);
  socket.once("close", () => fail(dialled ? "tls_failed" : "connect_failed", "closed"));
  socket.once("secureConnect", () => {
    if (over) return;
    if (!protocols.includes(socket.alpnProtocol || "")) {
      return fail("tls_failed", "protocol not agreed");
    }
    const now = options.clock.now();
    const rules = { trustDomain, expected, foreign: nobodyElse, group: null, now };
    const verdict = judgePeer(socket, rules);
    if (verdict.kind === "fault") return fail("identity_refused", verdict.fault);
    const { group } = verdict.peer;
    if (options.requiresPostQuantum && !isPostQuantum(group)) {
      return fail("key_exchange_classical", group);
    }
    over = true;
    cancel();
    // Only now: what is set on a socket before TLS takes its handle over is not applied.
    socket.setNoDelay(true);
    inNextTurn(
      socket,
      () => connected(socket, verdict.peer),
      () => failed({ fault: "tls_failed", detail: "closed" }),
    );
  });
}

const nobodyElse: Credentials["foreign"] = new Map();

/** With the roots of that trust domain alone; null: it is not federated. */
function contextFor(trustDomain: TrustDomain, credentials: Credentials): SecureContext | null {
  if (trustDomain === credentials.trustDomain) return credentials.context;
  return credentials.foreign.get(trustDomain)?.context ?? null;
}
