// One stream of a connection (RFC 9113 section 5): its two halves, the content that its reader has not
// released, and what may still be said on it. Made by the connection; both of its users (who sends, who
// hears) hold it as long as they like: on a stream that is over nothing happens any more.
import type { MethodCode } from "../http1/method.ts";
import type { ErrorCode } from "./error-code.ts";
import type { StreamFault } from "./fault.ts";
import type { FieldBlock } from "./field-block.ts";
import type { HpackEncoder } from "./hpack-encoder.ts";
import type { ResponseFields } from "./response-fields.ts";
import { NO_QUEUE } from "./sender.ts";
import type { Outgoing, Sender } from "./sender.ts";

/** How a stream ended before its time. */
export interface StreamEnd {
  readonly code: number;
  /** Who reset it: `connection` when that ended, or will not take the stream (GOAWAY). */
  readonly by: "peer" | "us" | "connection";
  /** Of a reset by us for what the peer did. */
  readonly fault: StreamFault | null;
  /** The peer cannot have begun with it: a request may be sent again elsewhere. */
  readonly unprocessed: boolean;
}

/** Hears of one stream. `last`: nothing more comes; after onReset nothing is told. */
export interface StreamListener {
  /** The head of the response; several interim ones may come before. The fields live until it returns. */
  onResponse(stream: Http2Stream, response: ResponseFields, last: boolean): void;
  /** A view of received bytes. The reader gives them back with release(), at once or later. */
  onData(stream: Http2Stream, bytes: Buffer, last: boolean): void;
  /** The end of the message, with fields that live until it returns. */
  onTrailers(stream: Http2Stream, fields: FieldBlock): void;
  /** Everything that was sent has left the queue. */
  onDrain(stream: Http2Stream): void;
  onReset(stream: Http2Stream, end: StreamEnd): void;
}

/** What a stream asks of its connection. */
export interface StreamOwner {
  readonly sender: Sender;
  /** Bytes were read: the peer may send as many again on the connection, and on the stream if it goes on. */
  credit(stream: Http2Stream, count: number): void;
  /** A half ended; when both have, the stream is over. */
  ended(stream: Http2Stream): void;
  /** Sends RST_STREAM and forgets the stream. */
  resetByUs(stream: Http2Stream, code: ErrorCode): void;
  /** Something is to be flushed. */
  wake(): void;
}

export class Http2Stream implements Outgoing {
  readonly id: number;
  /** Of the request: decides how the response ends. */
  readonly method: MethodCode;
  listener: StreamListener | null = null;
  /** Neither reset nor ended on both sides. */
  alive = true;
  localEnded = false;
  remoteEnded = false;
  /** The final head came; what may follow is trailers. */
  headReceived = false;
  headSent = false;
  /** Bytes of content that must still come; -1 where any number may. */
  contentLeft = -1;
  /** Bytes of content (with padding) that the peer may send. */
  receiveWindow: number;
  /** Bytes that the listener was given and has not released. */
  unreleased = 0;
  /** Bytes released that the peer was not told of. */
  released = 0;
  sendWindow: number;
  queue: Buffer[] = NO_QUEUE;
  queueOffset = 0;
  queuedBytes = 0;
  queueEnd = false;
  trailers: Buffer | null = null;
  inRow = false;
  nextInRow: Outgoing | null = null;
  progressMs = 0;
  readonly #owner: StreamOwner;

  constructor(
    owner: StreamOwner,
    id: number,
    method: MethodCode,
    sendWindow: number,
    receiveWindow: number,
  ) {
    this.#owner = owner;
    this.id = id;
    this.method = method;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  /** Whether a head, content or trailers may be sent. */
  get writable(): boolean {
    return this.alive && !this.localEnded && !this.queueEnd;
  }

  /**
   * The encoder in which to put a head, begun; null when it would not be sent any more. The head must then
   * be sent in the same turn (respond or interim): encoder and peer would differ from there on.
   */
  openHead(): HpackEncoder | null {
    if (!this.writable || this.headSent) return null;
    const { encoder } = this.#owner.sender;
    encoder.begin();
    return encoder;
  }

  /** Sends the head that openHead's answer holds as the response. */
  respond(last: boolean): void {
    this.#owner.sender.sendHead(this, last);
    this.headSent = true;
    this.#owner.wake();
    if (last) this.endLocal();
  }

  /** Sends the head that openHead's answer holds as an interim response (1xx). */
  interim(): void {
    this.#owner.sender.sendHead(this, false);
    this.#owner.wake();
  }

  /**
   * Sends content, which must not change before it was sent. False: some of it waits; onDrain tells when it
   * has left. `last` needs no bytes.
   */
  send(bytes: Buffer, last: boolean): boolean {
    if (!this.writable) return true;
    if (bytes.length === 0 && !last) return true;
    const { sender } = this.#owner;
    if (bytes.length === 0 && this.queuedBytes > 0) {
      this.queueEnd = true;
      return false;
    }
    const sent = sender.sendData(this, bytes, last);
    this.#owner.wake();
    if (sent && last) this.endLocal();
    return sent;
  }

  /** The encoder in which to put trailers, begun; null when they would not be sent any more. */
  openTrailers(): HpackEncoder | null {
    return this.writable && this.headSent ? this.#owner.sender.trailersEncoder(this) : null;
  }

  /** Sends what openTrailers' answer holds, and ends the message. */
  sendTrailers(): void {
    const waits = this.queuedBytes > 0;
    this.#owner.sender.sendTrailers(this);
    this.#owner.wake();
    if (!waits) this.endLocal();
  }

  /** The reader is done with `count` bytes that onData gave it. */
  release(count: number): void {
    const given = Math.min(count, this.unreleased);
    if (given === 0) return;
    this.unreleased -= given;
    this.#owner.credit(this, given);
  }

  /** Ends the stream at once, both ways; nothing more is told. */
  reset(code: ErrorCode): void {
    if (!this.alive) return;
    this.listener = null;
    this.#owner.resetByUs(this, code);
  }

  /** From the sender: the queue is empty. */
  onSent(ended: boolean): void {
    if (ended) this.endLocal();
    else this.listener?.onDrain(this);
  }

  endLocal(): void {
    this.localEnded = true;
    this.#owner.ended(this);
  }
}
