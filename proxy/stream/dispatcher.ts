// What a direction (inbound, outbound) decides about the requests of a connection. The exchange does
// the bytes, the dispatcher the decisions.
import type { Clock } from "#/lib/clock.ts";
import type { Deadlines } from "../net/deadline.ts";
import type { LocalStatus } from "#/http/http1/local-reply.ts";
import type { HostMemo } from "#/http/http1/host.ts";
import type { Lines } from "#/http/http1/writer.ts";
import type { StreamSink, UpstreamFailure } from "./transport.ts";

/** What is known of a request by its head, whichever protocol it came in. */
export interface RequestFacts {
  readonly methodText: string;
  /** The normalised path without the query. */
  readonly pathText: string;
  readonly host: HostMemo;
  /** Of the field with this lower-case name, null without; several are joined with ", ". Only in dispatch(). */
  value(lowerName: Uint8Array): string | null;
}

/** A request on its way, as a dispatcher sees it. */
export interface LiveRequest extends StreamSink {
  /** null: no head could be read. */
  readonly request: RequestFacts | null;
  /** Monotonic ms of the request's first byte. */
  readonly startedMs: number;
  /** Of content, without framing. */
  readonly requestBodyBytes: number;
  readonly responseBodyBytes: number;
  readonly tries: number;
  /** Of the last try's connection, in which it agreed on keys; of no meaning without a try. */
  readonly group: string;
  /** Status given to the caller; 0: none yet. */
  readonly status: number;
  /** Why it was refused or failed; empty when all went well. */
  readonly reason: string;
  /** The request can be sent again from its first byte. */
  readonly replayable: boolean;
  readonly responseStarted: boolean;
  /** Answers from here, before or instead of an upstream. */
  reply(status: LocalStatus, reason: string): void;
  /** Gives the present try up; another is arranged, or a reply made. */
  dropTry(): void;
  /** The connection that it came on ends when what is under way has. */
  drain(): void;
  /** Breaks it off; the caller is answered nothing. */
  cut(reason?: string): void;
}

export interface Dispatcher {
  /** What is added to every request that is sent on. */
  readonly added: Lines | null;
  /** A head is read: choose, or exchange.reply(...). */
  dispatch(exchange: LiveRequest): void;
  /** The head and what came with it are there: open a stream to what was chosen. */
  open(exchange: LiveRequest): void;
  /** A response's head came. True: it is not passed on, another try has been arranged. */
  responded(exchange: LiveRequest, status: number): boolean;
  /** The try failed before a response. True: another try has been arranged. */
  failed(exchange: LiveRequest, failure: UpstreamFailure, sent: boolean): boolean;
  /** The caller went away in the middle: what was arranged is called off. */
  cancelled(exchange: LiveRequest): void;
  /** The request is over, however it went: counts and logs. */
  finished(exchange: LiveRequest): void;
  /** The connection is over. */
  closed(exchange: LiveRequest): void;
}

export interface ExchangeLimits {
  /** From the connection's start to its first byte. */
  readonly firstHeadTimeoutMs: number;
  /** From a head's first byte to its last. */
  readonly headTimeoutMs: number;
  /** Between requests. Longer than the other end's own limit. */
  readonly idleTimeoutMs: number;
  /** Silence in the middle of a request or response. */
  readonly streamIdleTimeoutMs: number;
  /** Bytes of a request held to be sent again. */
  readonly replayBytesMax: number;
}

export const defaultExchangeLimits: ExchangeLimits = {
  firstHeadTimeoutMs: 30_000,
  headTimeoutMs: 10_000,
  idleTimeoutMs: 75_000,
  streamIdleTimeoutMs: 300_000,
  replayBytesMax: 64 * 1024,
};

export interface ExchangeContext {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly limits: ExchangeLimits;
  readonly tunnelIdleTimeoutMs: number;
  /** The connection should not be kept for another request (draining, certificates ending). */
  readonly shouldClose: () => boolean;
}
