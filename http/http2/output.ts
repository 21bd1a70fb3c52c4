// The bytes that a connection has to send, gathered over one turn of the event loop so that they leave in
// one write. What is small is copied together; what is large stays where it is and is only referred to.
const CHUNK_BYTES_MIN = 1024;
const CHUNK_BYTES_MAX: number = 64 * 1024;

/** Up to here copying costs less than one more buffer in the write. */
export const COPIED_BYTES_MAX = 2048;

const NO_BYTES = Buffer.alloc(0);

export class Output {
  /** Bytes not taken yet. */
  length = 0;
  #parts: Buffer[] = [];
  #chunk: Buffer = NO_BYTES;
  /** In the chunk: the end of what is in `parts`, and the end of what was written. */
  #begun = 0;
  #end = 0;
  /** What one turn needed of a chunk lately. */
  #chunkBytes = CHUNK_BYTES_MIN;

  /** Makes room for `count` bytes in one run, counts them as written, and returns where they go. */
  reserve(count: number): number {
    if (this.#end + count > this.#chunk.length) this.#openChunk(count);
    const at = this.#end;
    this.#end = at + count;
    this.length += count;
    return at;
  }

  /** What `reserve` made room in. */
  get chunk(): Buffer {
    return this.#chunk;
  }

  /** Adds source[start, end), which must not change before it was sent. */
  append(source: Buffer, start: number, end: number): void {
    const count = end - start;
    if (count > COPIED_BYTES_MAX) {
      this.#closeRun();
      this.#parts.push(source.subarray(start, end));
      this.length += count;
    } else if (count > 0) this.copy(source, start, end);
  }

  /** Adds a copy of source[start, end). */
  copy(source: Buffer, start: number, end: number): void {
    const count = end - start;
    const to = this.reserve(count);
    const chunk = this.#chunk;
    if (count > 48) source.copy(chunk, to, start, end);
    else for (let at = 0; at < count; at += 1) chunk[to + at] = source[start + at]!;
  }

  /** All that is to be sent, in its order; nothing is left. The caller must not keep the array. */
  take(): readonly Buffer[] {
    this.#closeRun();
    const parts = this.#parts;
    this.#parts = [];
    this.length = 0;
    // Room for as much again; less, once it was not needed for a while.
    const used = Math.max(this.#end, this.#chunkBytes >> 1, CHUNK_BYTES_MIN);
    this.#chunkBytes = Math.min(used, CHUNK_BYTES_MAX);
    this.#chunk = NO_BYTES;
    this.#begun = 0;
    this.#end = 0;
    return parts;
  }

  #closeRun(): void {
    if (this.#end > this.#begun) this.#parts.push(this.#chunk.subarray(this.#begun, this.#end));
    this.#begun = this.#end;
  }

  #openChunk(count: number): void {
    this.#closeRun();
    this.#chunk = Buffer.allocUnsafe(Math.max(this.#chunkBytes, count));
    this.#begun = 0;
    this.#end = 0;
  }
}
