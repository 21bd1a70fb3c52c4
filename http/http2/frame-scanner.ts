// Finds frames in the bytes of a connection, however they are cut, without copying what is carried on:
//
//   scanner.feed(bytes);
//   for (let what = scanner.next(); what !== SCAN.more; what = scanner.next()) ...
//
// DATA is told of when its head is there (SCAN.data), then its content in as many parts as it came
// (SCAN.content), padding left out. Any other known frame comes whole (SCAN.frame), of an unknown one the
// head alone (SCAN.unknown). A frame that must not be ends the connection: then next() is an error code,
// made negative, and stays that.
import { ERROR } from "./error-code.ts";
import { FRAME_FLAG, FRAME_HEAD_BYTES, TYPE, frameFault } from "./frame.ts";

export const SCAN = {
  /** Nothing more can be said before more bytes are fed. */
  more: 0,
  frame: 1,
  data: 2,
  content: 3,
  unknown: 4,
} as const;

const STATE = { head: 0, payload: 1, padLength: 2, content: 3, skip: 4, failed: 5 } as const;

const NO_BYTES = Buffer.alloc(0);
const DEPENDENCY_BYTES = 5;

export class FrameScanner {
  type = 0;
  flags = 0;
  streamId = 0;
  /** Bytes of the payload, padding included. */
  length = 0;
  /** The payload (of HEADERS and PUSH_PROMISE the block's fragment), or the part of the content. */
  buffer: Buffer = NO_BYTES;
  start = 0;
  end = 0;
  /** SCAN.content: this part ends the frame's content. */
  last = false;
  /** HEADERS: the stream that it says to depend on, or -1. */
  dependency = -1;
  #state: number = STATE.head;
  #input: Buffer = NO_BYTES;
  #at = 0;
  /** A head or a payload that came in pieces. */
  readonly #head = Buffer.allocUnsafeSlow(FRAME_HEAD_BYTES);
  #headBytes = 0;
  #held: Buffer | null = null;
  #heldBytes = 0;
  /** Of DATA or an unknown frame: bytes of content and of what follows it that are still to come. */
  #content = 0;
  #skip = 0;
  #error = 0;

  /** All earlier bytes must have been scanned: next() said SCAN.more. */
  feed(bytes: Buffer): void {
    this.#input = bytes;
    this.#at = 0;
  }

  /** One of SCAN, or an error code made negative. */
  next(): number {
    for (;;) {
      switch (this.#state) {
        case STATE.head: {
          if (!this.#readHead()) return SCAN.more;
          const code = frameFault(this.type, this.flags, this.length, this.streamId);
          if (code !== 0) return this.#fail(code);
          if (this.type === TYPE.data) return this.#beginData();
          if (this.type > TYPE.continuation) return this.#beginUnknown();
          this.#state = STATE.payload;
          break;
        }
        case STATE.payload:
          if (!this.#readPayload()) return SCAN.more;
          this.#state = STATE.head;
          return this.#trim();
        case STATE.padLength:
          if (this.#at === this.#input.length) return SCAN.more;
          this.#skip = this.#input[this.#at]!;
          this.#at += 1;
          this.#content -= this.#skip;
          if (this.#content < 0) return this.#fail(ERROR.protocolError);
          this.#state = STATE.content;
          break;
        case STATE.content:
          if (this.#at === this.#input.length && this.#content > 0) return SCAN.more;
          return this.#takeContent();
        case STATE.skip: {
          const count = Math.min(this.#skip, this.#input.length - this.#at);
          this.#at += count;
          this.#skip -= count;
          if (this.#skip > 0) return SCAN.more;
          this.#state = STATE.head;
          break;
        }
        default:
          return -this.#error;
      }
    }
  }

  #fail(code: number): number {
    this.#state = STATE.failed;
    this.#error = code;
    return -code;
  }

  #readHead(): boolean {
    let source = this.#input;
    let at = this.#at;
    if (this.#headBytes === 0 && source.length - at >= FRAME_HEAD_BYTES) {
      this.#at = at + FRAME_HEAD_BYTES;
    } else {
      const head = this.#head;
      while (this.#headBytes < FRAME_HEAD_BYTES && at < source.length) {
        head[this.#headBytes] = source[at]!;
        this.#headBytes += 1;
        at += 1;
      }
      this.#at = at;
      if (this.#headBytes < FRAME_HEAD_BYTES) return false;
      this.#headBytes = 0;
      source = head;
      at = 0;
    }
    this.length = (source[at]! << 16) | (source[at + 1]! << 8) | source[at + 2]!;
    this.type = source[at + 3]!;
    this.flags = source[at + 4]!;
    this.streamId = uint31(source, at + 5);
    return true;
  }

  #beginData(): number {
    const padded = (this.flags & FRAME_FLAG.padded) !== 0;
    if (padded && this.length === 0) return this.#fail(ERROR.frameSizeError);
    this.#content = padded ? this.length - 1 : this.length;
    this.#skip = 0;
    this.#state = padded ? STATE.padLength : STATE.content;
    return SCAN.data;
  }

  #beginUnknown(): number {
    this.#skip = this.length;
    this.#state = STATE.skip;
    return SCAN.unknown;
  }

  #takeContent(): number {
    const count = Math.min(this.#content, this.#input.length - this.#at);
    this.buffer = this.#input;
    this.start = this.#at;
    this.end = this.#at + count;
    this.#at += count;
    this.#content -= count;
    this.last = this.#content === 0;
    if (this.last) this.#state = STATE.skip;
    return SCAN.content;
  }

  /** Whether the payload is whole, in the received bytes where it can be. */
  #readPayload(): boolean {
    const available = this.#input.length - this.#at;
    if (this.#held === null && available >= this.length) {
      this.buffer = this.#input;
      this.start = this.#at;
      this.end = this.#at + this.length;
      this.#at = this.end;
      return true;
    }
    if (this.#held === null) {
      this.#held = Buffer.allocUnsafe(this.length);
      this.#heldBytes = 0;
    }
    const count = Math.min(available, this.length - this.#heldBytes);
    this.#input.copy(this.#held, this.#heldBytes, this.#at, this.#at + count);
    this.#heldBytes += count;
    this.#at += count;
    if (this.#heldBytes < this.length) return false;
    this.buffer = this.#held;
    this.start = 0;
    this.end = this.length;
    this.#held = null;
    return true;
  }

  /** Takes padding and priority off what carries a header block. */
  #trim(): number {
    this.dependency = -1;
    if (this.type !== TYPE.headers && this.type !== TYPE.pushPromise) return SCAN.frame;
    const { buffer, flags } = this;
    if ((flags & FRAME_FLAG.padded) !== 0) {
      if (this.start === this.end) return this.#fail(ERROR.frameSizeError);
      this.end -= buffer[this.start]!;
      this.start += 1;
    }
    if (this.type === TYPE.headers && (flags & FRAME_FLAG.priority) !== 0) {
      if (this.start + DEPENDENCY_BYTES > this.end) {
        const fits = this.length >= DEPENDENCY_BYTES;
        return this.#fail(fits ? ERROR.protocolError : ERROR.frameSizeError);
      }
      this.dependency = uint31(buffer, this.start);
      this.start += DEPENDENCY_BYTES;
    }
    return this.start > this.end ? this.#fail(ERROR.protocolError) : SCAN.frame;
  }
}

/** 31 bits of four bytes; the highest bit is reserved and ignored. */
export function uint31(buffer: Uint8Array, at: number): number {
  return (
    ((buffer[at]! & 0x7f) << 24) |
    (buffer[at + 1]! << 16) |
    (buffer[at + 2]! << 8) |
    buffer[at + 3]!
  );
}

/** All 32 bits. */
export function uint32(buffer: Uint8Array, at: number): number {
  return uint31(buffer, at) + (buffer[at]! >>> 7) * 2 ** 31;
}
