// What one HTTP/2 connection may cost us. Every number has its unit in its name; the test of each
// overflow stands beside the file that enforces it.

import type { BudgetLimit } from "./budget.ts";

/** SETTINGS_HEADER_TABLE_SIZE that we offer, and the most that our encoder uses of a peer's. Bytes. */
export const TABLE_BYTES_MAX = 4096;

/** Every entry counts 32 bytes besides its text (RFC 7541 section 4.1), so there are never more. */
export const TABLE_ENTRIES_MAX: number = TABLE_BYTES_MAX / 32;

/** Fields of one block, pseudo-header fields included. */
export const BLOCK_FIELDS_MAX = 128;

/** Bytes of one block as they come, HEADERS and its CONTINUATIONs together. */
export const BLOCK_BYTES_MAX: number = 64 * 1024;

/**
 * SETTINGS_MAX_HEADER_LIST_SIZE that we offer: names, values and 32 bytes for each field. A larger
 * message is refused, the connection goes on.
 */
export const LIST_BYTES_MAX: number = 64 * 1024;

/** A block that unfolds to so much was made to do that (HPACK bomb): the connection ends. */
export const LIST_BYTES_BOMB: number = 4 * LIST_BYTES_MAX;

/** CONTINUATIONs of one block. Ours need four for the longest block that we take. */
export const CONTINUATIONS_MAX = 8;

/** Replies (SETTINGS and PING acknowledged, streams reset) wait unsent up to so many bytes of output. */
export const REPLY_BYTES_MAX: number = 1024 * 1024;

/** DATA is no longer added to output of so many bytes: what waits then waits in its stream. */
export const OUTPUT_BYTES_MAX: number = 256 * 1024;

/** What one connection may do and hold. Whoever opens it chooses: a stranger gets less than a sidecar. */
export interface ConnectionLimits {
  /** SETTINGS_MAX_CONCURRENT_STREAMS that we offer. */
  readonly streamsMax: number;
  /** Bytes of a stream's content that may be under way and held, until it is released. */
  readonly streamWindowBytes: number;
  /** The same of all streams together: what their readers hold up, memory holds. */
  readonly connectionWindowBytes: number;
  /**
   * Streams that end by a reset: the peer's (rapid reset, CVE-2023-44487), and ours for its faults
   * (MadeYouReset, CVE-2025-8671). A stream that ends well excuses one.
   */
  readonly resets: BudgetLimit;
  /**
   * Frames that carry nothing of a message: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, unknown ones, DATA
   * without content. A frame that carries something, in either direction, excuses three.
   */
  readonly idleFrames: BudgetLimit;
  /** A stream whose queue the peer takes nothing of for so long is reset. */
  readonly sendStallMaxMs: number;
}

export const defaultConnectionLimits: ConnectionLimits = {
  streamsMax: 100,
  streamWindowBytes: 256 * 1024,
  connectionWindowBytes: 8 * 1024 * 1024,
  resets: { burst: 200, perSecond: 20 },
  idleFrames: { burst: 1000, perSecond: 100 },
  sendStallMaxMs: 300_000,
};
