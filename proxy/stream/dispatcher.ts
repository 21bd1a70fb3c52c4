// What a direction (inbound, outbound) decides about the requests of a connection. The exchange does
// the bytes, the dispatcher the decisions.
import type { Clock } from "#/lib/clock.ts";
import type { Deadlines } from "../net/deadline.ts";
import type { Exchange } from "./exchange.ts";
import type { UpstreamFailure } from "./transport.ts";

export interface Dispatcher {
  /** A head is read: choose, and exchange.setHead(...), or exchange.reply(...). */
  dispatch(exchange: Exchange): void;
  /** The head and what came with it are there: open a stream to what was chosen. */
  open(exchange: Exchange): void;
  /** A response's head came. True: it is not passed on, another try has been arranged. */
  responded(exchange: Exchange, status: number): boolean;
  /** The try failed before a response. True: another try has been arranged. */
  failed(exchange: Exchange, failure: UpstreamFailure, sent: boolean): boolean;
  /** The caller went away in the middle: what was arranged is called off. */
  cancelled(exchange: Exchange): void;
  /** The request is over, however it went: counts and logs. */
  finished(exchange: Exchange): void;
  /** The connection is over. */
  closed(exchange: Exchange): void;
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
