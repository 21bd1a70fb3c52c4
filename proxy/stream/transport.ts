// The seam between routing and the wire: open a stream to an endpoint, given a head. Today each
// stream is an HTTP/1.1 exchange on a pooled connection; a multiplexed transport fits behind the
// same interface.
import type { Socket } from "node:net";
import type { Clock } from "#/lib/clock.ts";
import type { MethodCode } from "../http1/method.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import type { Deadlines } from "../net/deadline.ts";

/**
 * What went wrong at an endpoint. connect_*: nothing was sent. reset/ended: the connection broke
 * before the response was complete. overflow: too many wait for this endpoint. identity_suspended,
 * trust_domain_not_federated: it must not be spoken with, or must not any more.
 */
export type UpstreamFailure =
  | "connect_refused"
  | "connect_timeout"
  | "connect_failed"
  | "tls_failed"
  | "identity_refused"
  | "identity_suspended"
  | "trust_domain_not_federated"
  | "key_exchange_classical"
  | "no_credentials"
  | "overflow"
  | "reset"
  | "ended"
  | "response_invalid"
  | "response_timeout"
  | "try_timeout";

/** Facts of a connection for logs and metrics. */
export interface ConnectionFacts {
  /** SPIFFE ID that the other end proved, or "plaintext". */
  readonly identity: string;
  readonly version: string;
  readonly group: string;
  /** Wall clock ms after which no new stream may begin; 0: never. What is left is cut where it was made. */
  readonly drainAtMs: number;
}

export const plaintextFacts: ConnectionFacts = {
  identity: "plaintext",
  version: "",
  group: "",
  drainAtMs: 0,
};

/** Hears of one stream. Exactly one of onStreamFailed and onResponseEnd closes a stream. */
export interface StreamSink {
  /** Of the request: they decide how the response's body ends. */
  readonly method: MethodCode;
  readonly websocket: boolean;
  onStreamOpen(stream: UpstreamStream): void;
  /** `bytes` is one interim (1xx) response, complete. */
  onInterim(bytes: Buffer): void;
  /** The head's bytes are head.buffer[head.start, head.end); body bytes follow up to `bodyEnd`. */
  onResponse(head: ResponseHead, bytes: Buffer, bodyEnd: number, last: boolean): void;
  onResponseBytes(bytes: Buffer, last: boolean): void;
  /** `sent`: a byte of the request may have reached the endpoint. */
  onStreamFailed(failure: UpstreamFailure, sent: boolean): void;
  onUpstreamDrain(): void;
}

export interface UpstreamStream {
  readonly facts: ConnectionFacts;
  /** False: wait for onUpstreamDrain. */
  send(bytes: Buffer): boolean;
  /** The request is complete; the connection may be used again when the response is. */
  finishRequest(): void;
  /** Stop and go on reading the response. */
  pause(): void;
  resume(): void;
  /** The caller is no longer interested; nothing more is told. */
  abandon(): void;
  /** After a 101: the raw socket, which nobody reads any more. */
  detach(): Socket;
}

/** An endpoint as far as a transport must know it. */
export interface Target {
  readonly address: string;
  readonly port: number;
}

export interface Transport<T extends Target> {
  /** Calls back sink.onStreamOpen, at once where a connection is idle, or sink.onStreamFailed. */
  open(target: T, sink: StreamSink): void;
  /** Closes idle connections, and the others when their stream ends. */
  drain(): void;
}

/** Makes raw or TLS connections. Exactly one callback is called, never from within `connect`. */
export interface Connector<T extends Target> {
  connect(
    target: T,
    connected: (socket: Socket, facts: ConnectionFacts) => void,
    failed: (failure: UpstreamFailure) => void,
  ): void;
}

export interface PoolLimits {
  /** Open connections to one endpoint. */
  readonly connectionsMax: number;
  /** Streams that wait for one of them. */
  readonly waitingMax: number;
  /** An idle connection to another sidecar is closed after so long; shorter than that one's own limit. */
  readonly idleTimeoutMs: number;
  /**
   * The same for a connection to anybody else. Whoever closes first must be us: a request that is sent
   * just as the other end closes is lost, and a POST cannot be sent again. Servers wait 2 s (gunicorn),
   * 5 s (Node, Apache) and longer.
   */
  readonly foreignIdleTimeoutMs: number;
  /** Silence of a stream for so long fails it. */
  readonly streamIdleTimeoutMs: number;
}

export const defaultPoolLimits: PoolLimits = {
  connectionsMax: 1024,
  waitingMax: 1024,
  idleTimeoutMs: 50_000,
  foreignIdleTimeoutMs: 1_000,
  streamIdleTimeoutMs: 300_000,
};

export interface PoolContext {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly limits: PoolLimits;
  /** Told of idle and draining connections that were closed before a certificate's end. */
  readonly onCertificateEnd: (how: "idle" | "drained") => void;
}
