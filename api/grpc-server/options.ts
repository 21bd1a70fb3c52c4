// What a server of bytes is told: by path, what answers a call.
import type { Clock } from "#/lib/clock.ts";
import type { RpcError } from "../rpc-error.ts";

/** The server's end of a stream of bytes. */
export interface ByteStream {
  /** Does nothing once the stream has ended. */
  send(bytes: Uint8Array): void;
  /** Ends the stream; the peer hears the code and, unless `isOpen`, an opaque sentence. */
  fail(error: RpcError): void;
}

export interface ByteStreamHandlers {
  onMessage(bytes: Uint8Array): void;
  /** Exactly once, whoever ended the stream. */
  onEnd(): void;
}

/** One call with one answer. */
export interface UnaryCall {
  /** Aborts when the caller gave up, its time is over, or its connection ended. */
  readonly signal: AbortSignal;
}

/** Rejects with RpcError, whose code the peer hears. */
export type UnaryHandler = (bytes: Uint8Array, call: UnaryCall) => Promise<Uint8Array>;

/** Must not throw. */
export type DuplexHandler = (stream: ByteStream) => ByteStreamHandlers;

export interface CallServerOptions {
  readonly messageBytesMax: number;
  /** Of one answer. */
  readonly sendBytesMax: number;
  readonly streamsMax: number;
  /** By path. */
  readonly unary: Readonly<Record<string, UnaryHandler>>;
  readonly duplex: Readonly<Record<string, DuplexHandler>>;
  readonly clock: Clock;
}

export interface ByteServer {
  /** GOAWAY: no new call; those that are open may end within a grace. */
  drain(): void;
  destroy(): void;
}
