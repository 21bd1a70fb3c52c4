// What the parts of one connection share: its streams, what it sends, what the peer allows and may still
// cost, and how streams and the connection itself end.
import { Budget } from "./budget.ts";
import { CLOSED } from "./closed-streams.ts";
import { ERROR } from "./error-code.ts";
import type { ErrorCode } from "./error-code.ts";
import { connectionErrorOf, streamErrorOf } from "./fault.ts";
import type { ConnectionFault, StreamFault } from "./fault.ts";
import { writeGoaway, writeRstStream, writeWindowUpdate } from "./frame-writer.ts";
import { REPLY_BYTES_MAX } from "./limits.ts";
import type { ConnectionLimits } from "./limits.ts";
import type { RequestFields } from "./request-fields.ts";
import { Sender } from "./sender.ts";
import { PeerSettings, WINDOW_BYTES_DEFAULT } from "./settings.ts";
import type { Http2Stream, StreamEnd, StreamOwner } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

/** Hears of a connection as a whole. */
export interface ConnectionOwner {
  /**
   * A request came, of which the head is well formed: give `stream` a listener, or reset it. The fields
   * live until it returns. `last`: it has no content.
   */
  onRequest(stream: Http2Stream, request: RequestFields, last: boolean): void;
  /** A stream was reset for what the peer did on it; of a request perhaps nothing was told before. */
  onFault(fault: StreamFault): void;
  /** There is something to flush; told once until flush() is called. */
  onWake(): void;
  /** The peer takes no new streams. Those that it will not work on were told so already. */
  onGoaway(code: number): void;
  /**
   * Nothing more happens here: flush, then end the socket. `fault` is what the peer did; null when the
   * connection was drained.
   */
  onClosed(fault: ConnectionFault | null): void;
}

/** How the connection as a whole stands. */
export const PHASE = {
  open: 0,
  /** GOAWAY was sent that takes everything back later: requests still under way are welcome. */
  draining: 1,
  /** GOAWAY was sent with the last stream that is worked on. */
  leaving: 2,
  closed: 3,
} as const;

export class Session implements StreamOwner {
  readonly isServer: boolean;
  readonly owner: ConnectionOwner;
  readonly limits: ConnectionLimits;
  readonly sender: Sender = new Sender();
  readonly streams: StreamTable = new StreamTable();
  readonly peer: PeerSettings;
  readonly idleFrames: Budget;
  readonly #resets: Budget;
  phase: number = PHASE.open;
  /** Bytes that the peer may send on all streams, and those released that it was not told of. */
  receiveWindow: number;
  #released = 0;
  #awake = false;

  constructor(isServer: boolean, owner: ConnectionOwner, limits: ConnectionLimits, nowMs: number) {
    this.isServer = isServer;
    this.owner = owner;
    this.limits = limits;
    this.peer = new PeerSettings(!isServer);
    this.idleFrames = new Budget(limits.idleFrames, nowMs);
    this.#resets = new Budget(limits.resets, nowMs);
    this.sender.nowMs = nowMs;
    this.receiveWindow = Math.max(limits.connectionWindowBytes, WINDOW_BYTES_DEFAULT);
  }

  get closed(): boolean {
    return this.phase === PHASE.closed;
  }

  wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    this.owner.onWake();
  }

  /** flush() was called: the next thing to send wakes again. */
  rest(): void {
    this.#awake = false;
  }

  /** The window that a new stream gives the peer. A peer that has not heard of ours goes by the default. */
  get streamWindow(): number {
    return Math.max(this.limits.streamWindowBytes, WINDOW_BYTES_DEFAULT);
  }

  credit(stream: Http2Stream, count: number): void {
    this.creditConnection(count);
    if (!stream.alive || stream.remoteEnded) return;
    stream.released += count;
    if (stream.released < this.limits.streamWindowBytes / 2) return;
    stream.receiveWindow += stream.released;
    writeWindowUpdate(this.sender.output, stream.id, stream.released);
    stream.released = 0;
    this.wake();
  }

  creditConnection(count: number): void {
    this.#released += count;
    if (this.#released < this.limits.connectionWindowBytes / 2) return;
    this.receiveWindow += this.#released;
    writeWindowUpdate(this.sender.output, 0, this.#released);
    this.#released = 0;
    this.wake();
  }

  ended(stream: Http2Stream): void {
    if (!stream.alive || !stream.localEnded || !stream.remoteEnded) return;
    stream.alive = false;
    this.streams.close(stream.id, CLOSED.ended);
    this.#resets.earn(1);
    this.left();
  }

  resetByUs(stream: Http2Stream, code: ErrorCode): void {
    this.#forget(stream, CLOSED.resetByUs);
    this.#writeReset(stream.id, code);
    this.left();
  }

  /** The peer reset a stream. */
  resetByPeer(stream: Http2Stream, code: number): void {
    this.#forget(stream, CLOSED.resetByPeer);
    const unprocessed = code === ERROR.refusedStream && !this.isServer;
    this.#tell(stream, { code, by: "peer", fault: null, unprocessed });
    this.left();
    this.spendReset();
  }

  /** Ends a stream for what the peer did on it. */
  streamFault(stream: Http2Stream, fault: StreamFault): void {
    const code = streamErrorOf(fault);
    this.owner.onFault(fault);
    this.#forget(stream, CLOSED.resetByUs);
    this.#writeReset(stream.id, code);
    this.#tell(stream, { code, by: "us", fault, unprocessed: false });
    this.left();
    this.spendReset();
  }

  /** Resets a stream that nobody here knows, or knows any more. */
  refuse(id: number, fault: StreamFault): void {
    if (this.closed) return;
    this.owner.onFault(fault);
    this.streams.close(id, CLOSED.resetByUs);
    this.#writeReset(id, streamErrorOf(fault));
    this.spendReset();
  }

  /** Streams that end badly come out of a budget. */
  spendReset(): void {
    if (!this.#resets.spend(this.sender.nowMs)) this.fail("reset_flood");
  }

  /** Takes one frame that carries nothing out of the budget. False: that was too many. */
  spendIdleFrame(): boolean {
    if (this.idleFrames.spend(this.sender.nowMs)) return true;
    this.fail("idle_frame_flood");
    return false;
  }

  /** Before a reply is written: false when too many wait because the peer does not read. */
  mayReply(): boolean {
    if (this.sender.output.length <= REPLY_BYTES_MAX) return true;
    this.fail("reply_flood");
    return false;
  }

  /** Ends the connection for what the peer did, or for `code` where a frame says it more exactly. */
  fail(fault: ConnectionFault, code: number = connectionErrorOf(fault)): void {
    if (this.closed) return;
    writeGoaway(this.sender.output, this.isServer ? this.streams.lastId : 0, code);
    this.close(fault, { code, by: "connection", fault: null, unprocessed: false });
  }

  /** Ends all streams, and with them everything. */
  close(fault: ConnectionFault | null, end: StreamEnd): void {
    this.phase = PHASE.closed;
    for (const stream of this.streams.live.values()) {
      this.#forget(stream, CLOSED.ended);
      this.#tell(stream, end);
    }
    this.wake();
    this.owner.onClosed(fault);
  }

  /** Tells a stream that the connection will do nothing more for it. */
  abandon(stream: Http2Stream, end: StreamEnd): void {
    this.#forget(stream, CLOSED.ended);
    this.#tell(stream, end);
  }

  /** A stream is gone: was it the last one of a connection that is being left? */
  left(): void {
    if (this.phase !== PHASE.leaving || this.streams.live.size > 0) return;
    this.phase = PHASE.closed;
    this.wake();
    this.owner.onClosed(null);
  }

  #writeReset(id: number, code: number): void {
    if (this.closed || !this.mayReply()) return;
    writeRstStream(this.sender.output, id, code);
    this.wake();
  }

  #forget(stream: Http2Stream, how: number): void {
    stream.alive = false;
    this.streams.close(stream.id, how);
    this.sender.drop(stream);
    const held = stream.unreleased;
    stream.unreleased = 0;
    if (!this.closed) this.creditConnection(held);
  }

  #tell(stream: Http2Stream, end: StreamEnd): void {
    const { listener } = stream;
    stream.listener = null;
    listener?.onReset(stream, end);
  }
}
