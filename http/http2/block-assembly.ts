// Puts a header block together that comes in HEADERS and CONTINUATION (RFC 9113 section 4.3): nothing
// else may come in between, and it may not be long or made of many pieces (attack 46, CONTINUATION flood).
import type { ConnectionFault } from "./fault.ts";
import { BLOCK_BYTES_MAX, CONTINUATIONS_MAX } from "./limits.ts";

const NO_BYTES = Buffer.alloc(0);

export class BlockAssembly {
  /** The stream whose block is not complete, or 0. */
  streamId = 0;
  endStream = false;
  dependency = -1;
  bytes: Buffer = NO_BYTES;
  length = 0;
  #continuations = 0;

  /** The first fragment of a block that goes on. */
  begin(streamId: number, endStream: boolean, dependency: number): void {
    this.streamId = streamId;
    this.endStream = endStream;
    this.dependency = dependency;
    this.bytes = NO_BYTES;
    this.length = 0;
    this.#continuations = 0;
  }

  /** Adds a fragment; what is wrong with it, or null. */
  add(source: Buffer, start: number, end: number): ConnectionFault | null {
    const count = end - start;
    if (this.length + count > BLOCK_BYTES_MAX) return "header_block_too_long";
    if (this.length + count > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + count));
      this.bytes.copy(larger, 0, 0, this.length);
      this.bytes = larger;
    }
    source.copy(this.bytes, this.length, start, end);
    this.length += count;
    return null;
  }

  /** Adds the fragment of a CONTINUATION. */
  continue(source: Buffer, start: number, end: number): ConnectionFault | null {
    this.#continuations += 1;
    if (this.#continuations > CONTINUATIONS_MAX) return "continuation_flood";
    return this.add(source, start, end);
  }

  /** The block is complete. */
  finish(): void {
    this.streamId = 0;
    this.bytes = NO_BYTES;
  }
}
