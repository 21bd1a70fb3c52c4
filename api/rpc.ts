// The two ends of the controller's API as its users see them: records, callbacks and errors of ours.
// grpc.ts and grpc-server/ put them on the wire.
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Log } from "#/lib/log.ts";
import type { DiscoveryError, Hello, SubscriberMessage, Update } from "./discovery.ts";
import type { IssueJwtRequest, IssueJwtResponse, IssueRequest, IssueResponse } from "./identity.ts";
import type { RpcError, RpcErrorCode } from "./rpc-error.ts";
import type { ConnectionRefusal, Peer, ServingCredentials, ServingLimits } from "./serving-tls.ts";

/** A request of Issue carries a CSR of some hundred bytes and a token of some thousand. */
export const issueMessageBytesMax = 65_536;
/** A Hello that names 100,000 resources. */
export const subscribeMessageBytesMax = 16_777_216;
/** One update: the largest is one cluster with all the endpoints it may have. */
export const updateMessageBytesMax = 16_777_216;
/** Calls at once on a connection without an identity, and on one with it. */
export const anonymousStreamsMax = 4;
export const identifiedStreamsMax = 16;

export interface Caller {
  readonly peer: Peer;
  /** Aborts when the caller gave up or its connection ended. */
  readonly signal: AbortSignal;
}

/** The server's end of one subscription. */
export interface SubscriberStream {
  readonly peer: Peer;
  readonly identity: SpiffeId;
  /** Does nothing once the stream has ended. */
  send(update: Update): void;
  /** Ends the stream; of `error` only the code reaches the peer. */
  end(error: RpcError): void;
}

export interface SubscriberHandlers {
  /** What it throws ends the stream, and only the stream. */
  onMessage(message: SubscriberMessage): void;
  /** Exactly once, whoever ended the stream. */
  onEnd(): void;
}

export interface ControllerHandlers {
  issue(request: IssueRequest, caller: Caller): Promise<IssueResponse>;
  issueJwt(request: IssueJwtRequest, caller: Caller): Promise<IssueJwtResponse>;
  /** Called for identified peers only. */
  subscribe(stream: SubscriberStream): SubscriberHandlers;
}

export interface ControllerServerOptions {
  /** Default: all addresses. */
  readonly address?: string;
  readonly port: number;
  readonly credentials: ServingCredentials;
  readonly limits?: Partial<ServingLimits>;
  readonly handlers: ControllerHandlers;
  readonly clock: Clock;
  readonly log: Log;
  readonly onRefused?: (reason: ConnectionRefusal) => void;
  /** Each call at its end: its method, and how it ended ("ok" or the code). */
  readonly onCall?: (method: string, outcome: RpcErrorCode | "ok") => void;
}

export interface ControllerServer extends AsyncDisposable {
  readonly port: number;
  /** Hot swap: connections that come from now on see the new certificate. */
  setCredentials(credentials: ServingCredentials): void;
  connectionCount(): number;
  /** Accepts nothing more; open connections are told to go elsewhere. */
  drain(): void;
}

export interface ControllerConnectionOptions {
  /** "host:port"; the host may end in a dot. */
  readonly address: string;
  /** DER; nothing else is trusted. */
  readonly roots: readonly Uint8Array[];
  /** null before the first one was issued: then only `issue` and `issueJwt` are answered. */
  readonly svid: Svid | null;
  /** The only identity that is accepted as controller. */
  readonly expectedIdentity: SpiffeId;
  readonly clock: Clock;
}

export interface SubscriptionHandlers {
  onUpdate(update: Update): void;
  /** An update that could not be read was refused already; for the log. */
  onUnreadable?(error: DiscoveryError): void;
  /** The controller's certificate is about to end, and the connection with it: time for another one. */
  onEnding?(): void;
  /** Exactly once, unless the subscription was closed by its owner. */
  onEnd(error: RpcError): void;
}

/** The client's end of one subscription. */
export interface Subscription {
  ack(sequence: number): void;
  nack(sequence: number, reason: string): void;
  /** Ends the stream; nothing is called back any more. */
  close(): void;
}

export interface ControllerConnection {
  /** Rejects with RpcError; deadline_exceeded after `deadlineMs`. */
  issue(request: IssueRequest, deadlineMs: number, signal?: AbortSignal): Promise<IssueResponse>;
  /** As `issue`. */
  issueJwt(
    request: IssueJwtRequest,
    deadlineMs: number,
    signal?: AbortSignal,
  ): Promise<IssueJwtResponse>;
  subscribe(hello: Hello, handlers: SubscriptionHandlers): Subscription;
  /** Ends every call with "cancelled" and lets go of the connection. */
  close(): void;
}
