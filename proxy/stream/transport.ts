// The seam between routing and the wire: open a stream to an endpoint, send a request on it, hear of its response.
// What crosses is messages: heads that write themselves in either protocol, content without framing, trailers.
// Whoever writes frames. So HTTP/1.1 on pooled connections and HTTP/2 on shared ones stand behind one interface.
import type { Socket } from "node:net";
import type { Clock } from "#/lib/clock.ts";
import type { BodyKind } from "#/http/http1/framing.ts";
import type { MethodCode } from "#/http/http1/method.ts";
import type { ResponseHead } from "#/http/http1/response-head.ts";
import type { HpackEncoder } from "#/http/http2/hpack-encoder.ts";
import type { Deadlines } from "../net/deadline.ts";

/**
 * What went wrong at an endpoint. connect_*: nothing was sent. reset/ended: the connection broke
 * before the response was complete. request_invalid: its trailers cannot be sent on. overflow: too many wait for this endpoint. identity_suspended,
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
  | "request_invalid"
  | "response_invalid"
  | "response_timeout"
  | "try_timeout";

/** Facts of a connection for logs and metrics. */
export interface ConnectionFacts {
  /** SPIFFE ID that the other end proved, or "plaintext". */
  readonly identity: string;
  readonly version: string;
  readonly group: string;
  /** It speaks HTTP/2. */
  readonly http2: boolean;
  /** Wall clock ms after which no new stream may begin; 0: never. What is left is cut where it was made. */
  readonly drainAtMs: number;
}

export const plaintextFacts: ConnectionFacts = {
  identity: "plaintext",
  version: "",
  group: "",
  http2: false,
  drainAtMs: 0,
};

/** The head of a request to be sent on. It may be written again for every try. */
export interface OutgoingRequest {
  readonly method: MethodCode;
  /** How content is framed where HTTP/1 carries it. */
  readonly bodyKind: BodyKind;
  /** A view of received bytes, or bytes of its own: never to be written into. */
  http1Head(): Buffer;
  /** Into an encoder that was begun. Not for a request that is `http1Only`. */
  http2Head(encoder: HpackEncoder): void;
}

/** A 101 to a WebSocket upgrade as it came, and what came behind it, which is no longer HTTP. */
export interface Switching {
  readonly head: ResponseHead;
  readonly early: Buffer;
}

/** The head of a response that came; of no meaning after the call that hands it over. */
export interface IncomingResponse {
  readonly status: number;
  /** null: it is none. */
  readonly switching: Switching | null;
  /** How content is framed for a caller of HTTP/1.`minor`. */
  bodyFor(minor: 0 | 1): BodyKind;
  /** For a body as bodyFor says. `closes`: it says so. As OutgoingRequest's, or a refusal code. */
  http1Head(body: BodyKind, closes: boolean): Buffer | number;
  /** Why HTTP/2 cannot say it: a refusal code, or 0. To be asked before an encoder is begun. */
  readonly http2Refusal: number;
  /** Into an encoder that was begun. */
  http2Head(encoder: HpackEncoder): void;
}

/** What may follow the content. Where it has a refusal code the message must not end in order. */
export interface Trailers {
  /** With the last chunk and the blank line. */
  http1End(): Buffer | number;
  /** To be asked before an encoder is begun. */
  http2Refusal(): number;
  http2Fields(encoder: HpackEncoder): void;
}

/**
 * Hears of one stream. Exactly one of onStreamFailed, onResponseTrailers and a `last` closes it. Bytes must not change
 * afterwards, and may be kept.
 */
export interface StreamSink {
  /** Of the request: decides how the response ends. */
  readonly method: MethodCode;
  /** It asks for a WebSocket, so a 101 may come. */
  readonly websocket: boolean;
  /** HTTP/2 cannot carry it: an upgrade, or a head with too much in it. */
  readonly http1Only: boolean;
  onStreamOpen(stream: UpstreamStream): void;
  /** An interim (1xx) response. */
  onInterim(response: IncomingResponse): void;
  /** `last`: it has no content. */
  onResponseHead(response: IncomingResponse, last: boolean): void;
  /** bytes[start, end); of the last there may be none. */
  onResponseContent(bytes: Buffer, start: number, end: number, last: boolean): void;
  /** The end. */
  onResponseTrailers(trailers: Trailers): void;
  /** All of what was received together has been told: what is held back to be written at once may go. */
  onReceived(): void;
  /** `sent`: a byte of the request may have reached the endpoint's application. */
  onStreamFailed(failure: UpstreamFailure, sent: boolean): void;
  onUpstreamDrain(): void;
}

/** Whoever sends calls flush() when there is nothing more for now. */
export interface UpstreamStream {
  readonly facts: ConnectionFacts;
  /** Once. `last`: it has no content. */
  sendRequest(request: OutgoingRequest, last: boolean): void;
  /** Of the last there may be none. */
  send(content: Buffer, last: boolean): void;
  /** The end. */
  sendTrailers(trailers: Trailers): void;
  /** False: wait for onUpstreamDrain. */
  flush(): boolean;
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
  /** The stream is not wanted any more while it waits to be opened. */
  forget(target: T, sink: StreamSink): void;
  /** Drains the connections to targets that are no longer wanted. */
  retain(wanted: (target: T) => boolean): void;
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
