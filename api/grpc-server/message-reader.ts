// Messages out of a stream's content, as gRPC frames them: a flag, four bytes of length, the message. Pure.
// One that came whole is handed on as a view of what came; others are gathered, never more than may be.

/** Flag and length in front of a message. */
export const MESSAGE_HEAD_BYTES = 5;

export type MessageFault =
  /** Nothing is unpacked: no message of ours is worth it, and a packed one may be a bomb (attack case 52). */
  "message_packed" | "message_too_large";

const NO_BYTES = Buffer.alloc(0);
const HELD_BYTES_FIRST = 1024;

export class MessageReader {
  readonly #bytesMax: number;
  /** The beginning of a message that is not complete: held[0, heldBytes). */
  #held: Buffer = NO_BYTES;
  #heldBytes = 0;
  /** Bytes from which on it is worth looking again. */
  #needed = MESSAGE_HEAD_BYTES;

  /** `bytesMax` of one message; known before the message has come. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Something came of a message that has not ended. */
  get isWithin(): boolean {
    return this.#heldBytes > 0;
  }

  /** Hands on each message that is complete now; they must not be changed. Not to be used after a fault. */
  push(bytes: Buffer, take: (message: Buffer) => void): MessageFault | null {
    if (this.#heldBytes === 0) return this.#read(bytes, take);
    this.#hold(bytes);
    if (this.#heldBytes < this.#needed) return null;
    const held = this.#held.subarray(0, this.#heldBytes);
    this.#held = NO_BYTES;
    this.#heldBytes = 0;
    return this.#read(held, take);
  }

  #read(bytes: Buffer, take: (message: Buffer) => void): MessageFault | null {
    let start = 0;
    for (;;) {
      const content = start + MESSAGE_HEAD_BYTES;
      if (content > bytes.length) {
        this.#needed = MESSAGE_HEAD_BYTES;
        break;
      }
      if (bytes[start] !== 0) return "message_packed";
      const length = bytes.readUInt32BE(start + 1);
      if (length > this.#bytesMax) return "message_too_large";
      if (content + length > bytes.length) {
        this.#needed = MESSAGE_HEAD_BYTES + length;
        break;
      }
      take(bytes.subarray(content, content + length));
      start = content + length;
    }
    if (start < bytes.length) this.#hold(bytes.subarray(start));
    return null;
  }

  /** Grows with what has come, not with what was announced. */
  #hold(bytes: Buffer): void {
    const total = this.#heldBytes + bytes.length;
    if (total > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.#held.length, total, HELD_BYTES_FIRST));
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    bytes.copy(this.#held, this.#heldBytes);
    this.#heldBytes = total;
  }
}
